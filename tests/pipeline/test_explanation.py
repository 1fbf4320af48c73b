"""A whole run explained: what it measures, that it stays away from the test, and what it says of a broken teacher."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from recdistill.cli.app import run
from recdistill.data import holdout
from recdistill.distill.recipe import Recipe
from recdistill.errors import DataError
from recdistill.evaluation.explanation import explanation
from recdistill.models.ranking import ndcg, target_ranks
from recdistill.models.recommender import Recommender
from recdistill.models.validation import takes_repeat
from recdistill.pipeline.explanation import held_out, look, phase_of
from recdistill.pipeline.pipeline import open_pipeline

NEXT = {"kind": "next-item"}


@pytest.fixture(scope="module")
def explained(finished_run, tmp_path_factory):
    folder = shutil.copytree(finished_run, tmp_path_factory.mktemp("explained") / "run")
    assert run(["explain-run", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture
def pipeline(explained):
    return open_pipeline(explained, None, [], quiet=True)


def content_of(folder):
    return json.loads((folder / "explanation/explanation.json").read_text())


def test_it_holds_what_it_promises(explained):
    found = content_of(explained)
    assert set(found["models"]) == {"teacher", "student", "student_without_distillation"}
    assert found["metric"] == "ndcg@10"
    assert [term["term"] for term in found["terms"]] == ["next-item", "kl", "align"]
    assert [term["taught"] for term in found["terms"]] == [False, True, True]
    assert set(found["slices"]) == {"popularity", "history", "confidence"}
    assert (
        sum(part["cases"] for part in found["slices"]["confidence"].values())
        == (found["dataset"]["valid_cases"])
    )
    assert "test_cases" not in found["dataset"]
    assert len(found["tension"]["pairs"]) == 3
    assert found["sharpness"][0]["term"] == "kl"
    assert sum(found["contests"].values()) == pytest.approx(1)
    for one in found["advice"]:
        assert set(one) == {"topic", "finding", "change", "seen", "threshold"}


def test_quality_is_that_of_the_models_on_validation(explained, pipeline):
    """By the ranking kernel itself, which knows no roles, no seeds and no evaluation."""
    found, cases = content_of(explained), pipeline.dataset.valid
    seen = None if takes_repeat(pipeline.dataset.train.histories) else cases.histories
    arms = {"student": "student", "student_without_distillation": "student-without-distillation"}
    for role, name in arms.items():
        models = [Recommender.load(explained / name / f"seed-{seed}/model") for seed in (0, 1)]
        ranks = [target_ranks(one, cases.histories, cases.targets, seen) for one in models]
        wanted = np.mean([ndcg(one, cases.targets).mean() for one in ranks])
        assert found["models"][role]["ndcg@10"] == pytest.approx(wanted, rel=1e-6)


def test_a_second_look_costs_nothing_and_prints_the_same(explained, capsys):
    before = (explained / "explanation/explanation.html").stat().st_mtime_ns
    assert run(["explain-run", str(explained), "--quiet"]) == 0
    told = capsys.readouterr().out
    found = content_of(explained)
    assert told.strip().startswith(found["verdict"]["sentence"])
    for one in found["advice"]:
        assert one["finding"] in told
        assert one["change"] in told
    assert "explanation.html" in told
    assert (explained / "explanation/explanation.html").stat().st_mtime_ns == before


def test_the_test_stays_closed(pipeline, monkeypatch):
    def refuse(folder):
        raise AssertionError("the test was opened")

    monkeypatch.setattr(holdout, "open_test", refuse)
    monkeypatch.setattr("recdistill.evaluation.protocol.open_test", refuse)
    assert len(look(pipeline).held_out.cases) == len(pipeline.dataset.valid)


class Permuted(Recommender):
    """A teacher that says of every item what it means to say of another."""

    kind = "permuted"

    def __init__(self, inner):
        super().__init__(inner.config, inner.vocabulary)
        self.inner, self.network = inner, inner.network
        self.order = torch.randperm(
            len(inner.vocabulary), generator=torch.Generator().manual_seed(3)
        )

    def fit(self, dataset, training=None, run=None):
        return self

    def states(self, histories):
        return self.inner.states(histories)

    def item_table(self):
        return self.inner.item_table()[self.order]


def test_a_permuted_teacher_teaches_nothing(pipeline):
    pipeline.teacher._recommender = Permuted(pipeline.teacher.recommender)
    found = explanation(look(pipeline))
    assert (
        "teaches nothing" in found["verdict"]["sentence"]
        or "not that it knows better" in (found["verdict"]["sentence"])
    )
    assert found["advice"][0]["topic"] == "teacher"
    assert found["differences"]["teacher"]["mean"] < 0
    assert found["likeness"]["student"]["item_cka"] < 0.6


def test_students_that_are_their_twins_inherit_nothing(pipeline):
    twins = pipeline.students.twin
    pipeline.__dict__["students"] = replace(pipeline.students, student=twins)
    found = explanation(look(pipeline))
    assert found["differences"]["student"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert found["taken_over"]["mean"] == 0.0
    assert "changed nothing that can be shown" in found["verdict"]["sentence"]
    assert "noise" in [one["topic"] for one in found["advice"]]


def test_without_validation_there_is_nothing_to_say(pipeline):
    nobody = pipeline.dataset.valid.take(slice(0, 0))
    pipeline.__dict__["dataset"] = replace(pipeline.dataset, valid=nobody)
    with pytest.raises(DataError, match="no validation cases"):
        held_out(pipeline)


def test_metrics_without_accuracy_fall_back(pipeline):
    evaluation = pipeline.config.evaluation.model_copy(update={"metrics": ("coverage@10",)})
    pipeline.config = pipeline.config.model_copy(update={"evaluation": evaluation})
    assert [str(metric) for metric in look(pipeline).held_out.metrics] == ["ndcg@10"]


def test_the_phase_in_which_the_teacher_speaks_is_explained():
    kl, own = {"kind": "kl"}, {"objectives": [NEXT]}
    recipe = Recipe.of({"phases": [{"objectives": [NEXT, kl]}, own]})
    assert phase_of(recipe) == recipe.phases[0]
    alone = Recipe.of({"phases": [own, {**own, "share": 2.0}]})
    assert phase_of(alone) == alone.phases[1]
