"""`recipes/techniques/teachers/`: one recipe, several ways to make one teacher of many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
import yaml
from recipe_files import check_beginning

from recdistill.cli.app import run
from recdistill.config.tree import load_config
from recdistill.errors import ConfigError
from recdistill.teachers.combining import AnyCombiner

HOME = Path(__file__).parents[2] / "recipes" / "techniques" / "teachers"
FILES = sorted(HOME.glob("*.yaml"))
TECHNIQUES = [path for path in FILES if path.stem != "base"]
each = pytest.mark.parametrize("path", TECHNIQUES, ids=lambda path: path.stem)


def test_every_way_to_combine_is_a_technique():
    kinds = {one.model_fields["kind"].default for one in get_args(get_args(AnyCombiner)[0])}
    assert {load_config(path, []).teacher.combine.kind for path in FILES} == kinds


@each
def test_they_differ_in_nothing_but_how_the_teacher_is_made_of_its_members(path: Path):
    mean = load_config(HOME / "base.yaml", [])
    config = load_config(path, [])
    assert config != mean
    teacher = config.teacher.model_copy(update={"combine": mean.teacher.combine})
    assert config.model_copy(update={"teacher": teacher}) == mean


@each
def test_each_says_what_it_is_and_what_to_expect(path: Path):
    check_beginning(path)


@each
@pytest.mark.timeout(600)
def test_each_runs(path: Path, make_source, tmp_path):
    source = make_source(tmp_path, users=40, items=60, events=1000)
    model = "{kind: sasrec, width: 8, blocks: 1, history: 10}"
    member = f"{{kind: recommender, model: {model}, training: {{epochs: 1}}}}"
    popularity = "{kind: recommender, model: {kind: popularity}}"
    options = [
        f"dataset={{source: {source}, name: tiny}}",
        f"teacher.members=[{member}, {popularity}]",
        "teacher.weights=[0.5, 0.5]",
        f"student={model}",
        "training={epochs: 1, batch_size: 32}",
        "evaluation={seeds: 1, resamples: 1000, latency_requests: 0}",
        "trackers=[]",
    ]
    assignments = [part for option in options for part in ("--set", option)]
    into = tmp_path / "run"
    assert run(["run", str(path), "--into", str(into), "--quiet", *assignments]) == 0
    metrics = json.loads((into / "report/metrics.json").read_text())
    assert {"teacher", "teacher/sasrec", "teacher/popularity", "student"} <= set(metrics["models"])
    remarks = [note for note in metrics["notes"] if "gate" in note]
    assert len(remarks) == (path.stem == "routed-teachers")


@each
def test_vectors_are_refused_before_anything_is_trained(path: Path):
    with pytest.raises(ConfigError, match=r"cannot say 'item-vectors'.*kind: mean") as caught:
        load_config(path, ["signals=[{kind: top-k, k: 5}, {kind: item-vectors}]"])
    assert "hard-label and top-k" in caught.value.hint


def test_the_written_configuration_shows_the_combiner():
    from recdistill.config.tree import to_yaml

    written = yaml.safe_load(to_yaml(load_config(HOME / "hard-voting.yaml", [])))
    assert written["teacher"]["combine"] == {"kind": "vote", "top": 10, "rest": 0.01}
