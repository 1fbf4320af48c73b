from __future__ import annotations

import pytest

from recdistill.config.located import LocatedYaml
from recdistill.errors import ConfigError

TEXT = """\
dataset:
  source: somewhere
signals:
  - {kind: top-k, k: 100}
  - kind: item-vectors
training: {epochs: 3}
"""


@pytest.fixture
def source():
    return LocatedYaml.parse(TEXT, "run.yaml")


def test_every_key_and_entry_knows_its_line(source):
    assert source.place(("dataset", "source")) == "run.yaml, line 2"
    assert source.place(("signals", 0, "k")) == "run.yaml, line 4"
    assert source.place(("signals", 1)) == "run.yaml, line 5"


def test_a_key_that_is_not_written_is_placed_at_its_nearest_ancestor(source):
    assert source.place(("training", "patience")) == "run.yaml, line 6"
    assert source.place(("student",)) == "run.yaml"


def test_overrides_reach_into_mappings_and_lists_and_leave_the_original_alone(source):
    changed = source.override(
        ["training.epochs=10", "signals.0.k=50", "student.width=32", "dataset.columns={a: b}"]
    )
    assert changed.data["training"] == {"epochs": 10}
    assert changed.data["signals"][0]["k"] == 50
    assert changed.data["student"] == {"width": 32}
    assert changed.data["dataset"]["columns"] == {"a": "b"}
    assert source.data["training"] == {"epochs": 3}


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("training.epochs", "not of the form"),
        ("=3", "not of the form"),
        ("signals.7.k=1", "no place in a list of 2"),
        ("signals.first=1", "no place in a list of 2"),
        ("dataset.source.deeper.still=1", "nothing below 'deeper'"),
        ("dataset.source.deeper=1", "has no parts to set"),
        ("training.epochs=[1", "not valid YAML"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(source, assignment, complaint):
    with pytest.raises(ConfigError, match=complaint):
        source.override([assignment])


def test_a_key_written_twice_is_refused_with_both_lines():
    with pytest.raises(ConfigError, match="line 3: the key 'a' is already set on line 1"):
        LocatedYaml.parse("a: 1\nb: 2\na: 3\n", "run.yaml")


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\t- x"])
def test_broken_yaml_is_refused_with_its_place(text):
    with pytest.raises(ConfigError, match=r"not valid YAML.*line"):
        LocatedYaml.parse(text, "run.yaml")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_file_without_settings_is_refused(text):
    with pytest.raises(ConfigError, match="no mapping"):
        LocatedYaml.parse(text, "run.yaml")


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no configuration file"):
        LocatedYaml.read(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="Cannot read"):
        LocatedYaml.read(tmp_path)
    broken = tmp_path / "latin.yaml"
    broken.write_bytes("name: Amélie".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        LocatedYaml.read(broken)
    broken.write_text("a: 1\n", encoding="utf-8")
    assert LocatedYaml.read(broken).data == {"a": 1}


def test_plain_words_mean_what_yaml_1_2_says():
    data = LocatedYaml.parse(
        "{on: top-k, no: off, yes: y, a: true, b: 1e-3, c: -2.5E+4, d: .5, e: 12, f: 1., g: '1e3', h: 1e5x}",
        "run.yaml",
    ).data
    assert data == {
        "on": "top-k",
        "no": "off",
        "yes": "y",
        "a": True,
        "b": 0.001,
        "c": -25000.0,
        "d": 0.5,
        "e": 12,
        "f": 1.0,
        "g": "1e3",
        "h": "1e5x",
    }
