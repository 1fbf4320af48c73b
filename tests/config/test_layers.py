from __future__ import annotations

import pytest

from recdistill.config.located import LocatedYaml
from recdistill.config.tree import load_config
from recdistill.errors import ConfigError

BASE = """\
dataset: {source: movielens-100k}
teacher: {kind: recommender, model: {kind: sasrec, width: 128}}
signals: [{kind: top-k, k: 100}]
training: {epochs: 60, optimizer: {kind: adamw, learning_rate: 1e-3}}
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)

    def write(text: str, name: str = "upper.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_a_file_says_only_what_is_different_from_its_base(write):
    path = write("base: base.yaml\ntraining: {optimizer: {learning_rate: 3e-4}}\n")
    config = load_config(path, [])
    assert config.dataset.source == "movielens-100k"
    assert config.training.epochs == 60
    assert config.training.optimizer.learning_rate == 3e-4


def test_a_base_is_found_beside_the_file_and_may_have_a_base_itself(write):
    write("base: base.yaml\ntraining: {epochs: 3}\n", "middle.yaml")
    path = write("base: ../middle.yaml\ntraining: {batch_size: 8}\n", "deeper/upper.yaml")
    training = load_config(path, ["training.patience=2"]).training
    assert (training.epochs, training.batch_size, training.patience) == (3, 8, 2)


def test_lists_and_other_kinds_replace_what_lies_below(write):
    path = write(
        "base: base.yaml\nteacher: {kind: ensemble, members: []}\nsignals: [{kind: hard-label}]\n"
    )
    data = LocatedYaml.read(path).data
    assert data["teacher"] == {"kind": "ensemble", "members": []}
    assert data["signals"] == [{"kind": "hard-label"}]


def test_every_key_is_placed_in_the_file_that_wrote_it(write):
    source = LocatedYaml.read(write("base: base.yaml\n\ntraining: {epochs: 9}\n"))
    assert source.place(("training", "epochs")).endswith("upper.yaml, line 3")
    assert source.place(("training", "optimizer", "learning_rate")).endswith("base.yaml, line 4")
    assert source.place(("dataset", "absent")).endswith("base.yaml, line 1")


def test_what_was_replaced_is_placed_nowhere(write):
    source = LocatedYaml.read(write("base: base.yaml\nteacher: {kind: ensemble}\n"))
    assert source.place(("teacher", "model", "width")).endswith("upper.yaml, line 2")


def test_a_mistake_below_is_refused_with_the_line_below(write):
    write(BASE.replace("epochs", "epoch"), "base.yaml")
    with pytest.raises(
        ConfigError, match=r"base\.yaml, line 4: unknown key 'training\.epoch'.*epochs"
    ):
        load_config(write("base: base.yaml\n"), [])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("base: absent.yaml\n", "no configuration file"),
        ("base: upper.yaml\n", "based on itself"),
        ("base: [base.yaml]\n", r"line 1: `base` must be the name of a file"),
    ],
)
def test_a_base_that_makes_no_sense_is_refused(write, text, complaint):
    with pytest.raises(ConfigError, match=complaint):
        LocatedYaml.read(write(text))
