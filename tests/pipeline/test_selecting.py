"""Runs that ask their teacher about a few contexts: what is asked, what is told, and what stays as it was."""

from __future__ import annotations

import json

import pytest
import yaml

from recdistill.cli.app import run
from recdistill.config.tree import load_config, to_yaml
from recdistill.errors import ConfigError
from recdistill.pipeline.pipeline import open_pipeline


@pytest.fixture
def written(tiny, tmp_path):
    """Writes the tiny configuration with a selection."""

    def write(select, **changes):
        path = tmp_path / "tiny.yaml"
        changes = {"evaluation": {**tiny["evaluation"], "seeds": 1}, **changes}
        path.write_text(yaml.safe_dump({**tiny, **changes, "select": select}, sort_keys=False))
        return path

    return write


def test_a_whole_run_of_few_calls(written, tmp_path):
    path, folder = written({"kind": "active", "contexts": 150}), tmp_path / "run"
    assert run(["run", str(path), "--into", str(folder), "--quiet"]) == 0
    pipeline = open_pipeline(folder, None, [], quiet=True)
    assert len(pipeline.signals["top-k"]) == 150
    assert set(pipeline.signals["top-k"].keys) == set(pipeline.selection.keys)
    assert len(pipeline.signals["item-vectors"]) == pipeline.dataset.num_items
    facts = json.loads((folder / "selection/selection.json").read_text())
    assert (facts["kind"], facts["contexts"]) == ("active", 150)
    assert facts["probed"] == len(pipeline.dataset.valid)
    metrics = json.loads((folder / "report/metrics.json").read_text())
    assert metrics["labelling"]["contexts"] >= 150
    assert metrics["labelling"]["of"] > 150
    assert any("asked about 150 of" in note for note in metrics["notes"])
    assert not [one for one in pipeline.outcomes.values() if one.made]


def test_another_budget_asks_anew_and_leaves_dataset_teacher_and_twin(written, tmp_path):
    path, folder = written({"kind": "random", "contexts": 100}), tmp_path / "run"
    folder.mkdir()
    first = open_pipeline(path, folder, [], quiet=True)
    first.students  # noqa: B018
    again = open_pipeline(folder, None, ["select.contexts=140"], quiet=True)
    again.students  # noqa: B018
    made = {name for name, outcome in again.outcomes.items() if outcome.made}
    assert made == {"selection", "signals", "student/seed-0"}
    assert set(first.selection.keys) < set(again.selection.keys)
    assert first.students.student[0].identity != again.students.student[0].identity
    assert first.students.twin[0].identity == again.students.twin[0].identity


def test_without_a_selection_nothing_is_written_and_no_stage_is_added(config_file, tmp_path):
    config = load_config(config_file, [])
    assert "select" not in to_yaml(config)
    pipeline = open_pipeline(config_file, tmp_path / "run", [], quiet=True)
    assert pipeline.selection is None
    assert load_config(config_file, ["select.kind=all"]) == config


def test_a_wrong_selection_is_refused_with_its_line(written):
    with pytest.raises(ConfigError, match="unknown kind 'randm'") as caught:
        load_config(written({"kind": "randm", "contexts": 3}), [])
    assert "random" in str(caught.value)
    with pytest.raises(ConfigError, match="contexts"):
        load_config(written({"kind": "random"}), [])
