"""Configurations that are to be compared: alike in everything but their recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from recdistill.config.agreement import load_agreeing
from recdistill.errors import ConfigError

BASE = """\
dataset: {source: movielens-100k}
teacher: {kind: recommender, model: {kind: sasrec}}
signals: [{kind: top-k, k: 100}]
"""
KL = "recipe: {objectives: [{kind: next-item}, {kind: kl}]}\n"


@pytest.fixture
def write(tmp_path):
    """`write(name, text)` writes a configuration that builds on the base."""
    (tmp_path / "base.yaml").write_text(BASE)

    def make(name: str, text: str) -> Path:
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        up = "../" * name.count("/")
        path.write_text(f"base: {up}base.yaml\n{text}")
        return path

    return make


def test_recipes_may_differ(write):
    paths = [write("a", KL), write("b", "recipe: {objectives: [{kind: mse}]}\n")]
    found = load_agreeing(paths, [])
    assert list(found) == ["a", "b"]
    assert found["a"].recipe != found["b"].recipe


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("training: {epochs: 7}", "`training.epochs`"),
        ("student: {width: 8}", "`student.width`"),
        ("signals: [{kind: top-k, k: 50}]", "`signals.0.k`: 100 in"),
        ("signals: [{kind: top-k, k: 100}, {kind: hard-label}]", "`signals.1`: nothing in"),
        ("evaluation: {seeds: 9}", "9 in"),
        ("dataset: {split: {kind: leave-one-out}}", "`dataset.split.kind`"),
    ],
)
def test_the_first_other_difference_is_named_with_both_values(write, other, told):
    paths = [write("a", KL), write("b", f"{KL}{other}\n")]
    with pytest.raises(ConfigError) as error:
        load_agreeing(paths, [])
    assert told in error.value.message
    assert all(str(path) in error.value.message for path in paths)


def test_what_is_set_for_all_no_longer_differs(write):
    paths = [write("a", KL), write("b", f"{KL}training: {{epochs: 7}}\n")]
    found = load_agreeing(paths, ["training.epochs=3"])
    assert {config.training.epochs for config in found.values()} == {3}


def test_two_of_one_name_are_refused(write):
    paths = [write("a", KL), write("more/a", KL)]
    with pytest.raises(ConfigError, match="both called 'a'"):
        load_agreeing(paths, [])
