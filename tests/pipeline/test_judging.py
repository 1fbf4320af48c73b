"""Teachers of a run judged: what is told is what the models do, nobody opens the test, and who knows nothing is called
near-random."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
import yaml

from recdistill.cli.app import run
from recdistill.data import holdout
from recdistill.errors import ConfigError, DataError
from recdistill.models.ranking import ndcg, target_ranks
from recdistill.models.recommender import Recommender
from recdistill.models.validation import takes_repeat
from recdistill.pipeline.judging import further
from recdistill.pipeline.pipeline import open_pipeline


@pytest.fixture(scope="module")
def judged(finished_run, source, tmp_path_factory):
    """A run, judged beside popularity's teacher and an ensemble's."""
    home = tmp_path_factory.mktemp("judged")
    folder = shutil.copytree(finished_run, home / "run")
    teacher = {"kind": "recommender", "model": {"kind": "item-knn"}}
    other = {"dataset": {"source": "elsewhere"}, "teacher": teacher}
    (home / "neighbours.yaml").write_text(yaml.safe_dump(other))
    assert run(["teachers", str(folder), "--with", str(home / "neighbours.yaml"), "--quiet"]) == 0
    return folder


def content_of(folder):
    return json.loads((folder / "judging/teachers.json").read_text())


def test_it_holds_what_it_promises(judged):
    found = content_of(judged)
    assert list(found["teachers"]) == ["teacher", "further/neighbours"]
    assert set(found["models"]) == {"teacher", "further/neighbours", "popularity"}
    assert found["teachers"]["teacher"]["part"] == "teacher"
    assert found["teachers"]["teacher"]["cost"]["fit_seconds"] > 0
    assert found["teachers"]["further/neighbours"]["part"] == "further"
    assert found["teachers"]["teacher"]["candidates"] is None
    assert len(found["agreement"]) == 3
    assert set(found["slices"]) == {"popularity", "history"}
    assert "test_cases" not in found["dataset"]
    assert found["verdict"]["sentence"]


def test_quality_is_that_of_the_models_on_validation(judged):
    pipeline = open_pipeline(judged, None, [], quiet=True)
    found, cases = content_of(judged), pipeline.dataset.valid
    seen = None if takes_repeat(pipeline.dataset.train.histories) else cases.histories
    for role, name in {"teacher": "teacher", "further/neighbours": "teachers/neighbours"}.items():
        model = Recommender.load(judged / name / "model")
        ranks = target_ranks(model, cases.histories, cases.targets, seen)
        wanted = ndcg(ranks, cases.targets).mean()
        assert found["models"][role]["ndcg@10"] == pytest.approx(wanted, rel=1e-6)


def test_the_test_stays_closed(judged, monkeypatch):
    def refuse(folder):
        raise AssertionError("the test was opened")

    monkeypatch.setattr(holdout, "open_test", refuse)
    monkeypatch.setattr("recdistill.evaluation.protocol.open_test", refuse)
    shutil.rmtree(judged / "judging")
    assert run(["teachers", str(judged), "--quiet"]) == 0


def test_a_second_look_costs_nothing_and_prints_the_same(judged, capsys):
    assert run(["teachers", str(judged), "--cases", "50", "--quiet"]) == 0
    page = judged / "judging/teachers.html"
    before = page.stat().st_mtime_ns
    capsys.readouterr()
    assert run(["teachers", str(judged), "--cases", "50", "--quiet"]) == 0
    told, found = capsys.readouterr().out, content_of(judged)
    assert found["verdict"]["sentence"] in told
    assert "NDCG@10" in told
    assert page.stat().st_mtime_ns == before
    assert found["dataset"]["valid_cases"] == 50
    assert run(["teachers", str(judged), "--cases", "50", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found


class Deaf(Recommender):
    """Says the same of everybody, and what it says is drawn by lot."""

    kind = "deaf"

    def __init__(self, inner):
        super().__init__(inner.config, inner.vocabulary)
        self.network = inner.network

    def fit(self, dataset, training=None, run=None):
        return self

    def states(self, histories):
        return torch.ones(len(histories), 1)

    def item_table(self):
        lots = np.random.default_rng(11).permutation(len(self.vocabulary))
        return torch.from_numpy(lots[:, None]).float()


def test_who_knows_nothing_is_called_near_random(judged):
    from recdistill.evaluation.judging.document import judgement
    from recdistill.evaluation.report.teachers.calling import called
    from recdistill.pipeline.judging import Candidate, look

    pipeline = open_pipeline(judged, None, [], quiet=True)
    teacher = pipeline.teacher.recommender
    both = {"teacher": Candidate("teacher", Deaf(teacher)), "further/it": Candidate("further", teacher)}  # fmt: skip
    found = judgement(look(pipeline, both, 20_000))
    assert found["teachers"]["teacher"]["chance"]["result"] in (
        "near-random",
        "too few cases to tell",
    )
    assert found["teachers"]["further/it"]["chance"]["result"] == "better than chance"
    assert "Best of all is it" in found["verdict"]["sentence"]
    assert called(found["teachers"]["teacher"]).tone != "better"


def test_an_ensemble_and_its_members(tiny, tmp_path):
    member = {"kind": "recommender", "model": {"kind": "item-knn"}}
    popular = {"kind": "recommender", "model": {"kind": "popularity"}}
    ensemble = {"kind": "ensemble", "members": [member, popular], "weights": [3, 1],
                "combine": {"kind": "probabilities"}}  # fmt: skip
    path = tmp_path / "ensemble.yaml"
    signals = [{"kind": "top-k", "k": 10}]
    recipe = {"objectives": [{"kind": "next-item"}, {"kind": "kl"}]}
    config = {**tiny, "teacher": ensemble, "signals": signals, "recipe": recipe}
    path.write_text(yaml.safe_dump(config))
    folder = tmp_path / "run"
    assert run(["teachers", str(path), "--into", str(folder), "--quiet"]) == 0
    found = content_of(folder)
    assert list(found["teachers"]) == ["teacher", "teacher/item-knn", "teacher/popularity"]
    assert found["teachers"]["teacher/item-knn"]["weight"] == 0.75
    assert found["models"]["teacher/popularity"] == found["models"]["popularity"]
    assert not (folder / "student").exists()


def test_others_are_refused_before_anything_is_trained(tmp_path, config_file):
    empty = tmp_path / "empty.yaml"
    empty.write_text("dataset: {source: x}\n")
    with pytest.raises(ConfigError, match="no `teacher:` section"):
        further(empty)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("teacher:\n  kind: recomender\n")
    with pytest.raises(ConfigError, match="unknown kind") as caught:
        further(wrong)
    assert "wrong.yaml, line 1" in str(caught.value) or "wrong.yaml, line 2" in str(caught.value)
    pipeline = open_pipeline(config_file, tmp_path / "run", [], quiet=True)
    with pytest.raises(ConfigError):
        pipeline.judge([wrong])
    assert not (tmp_path / "run" / "dataset").exists()


def test_without_validation_there_is_nothing_to_judge_by(judged):
    from dataclasses import replace

    pipeline = open_pipeline(judged, None, [], quiet=True)
    nobody = pipeline.dataset.valid.take(slice(0, 0))
    pipeline.__dict__["dataset"] = replace(pipeline.dataset, valid=nobody)
    with pytest.raises(DataError, match="no validation cases"):
        pipeline.judge()


def test_members_bring_their_remarks_and_their_accounts(judged):
    from types import SimpleNamespace

    from recdistill.pipeline.judging import _account, _own
    from recdistill.teachers.accounts import Account
    from recdistill.teachers.mixture import Mixture

    class Named(Deaf):
        def account(self):
            return Account(named=4, in_catalogue=3)

    pipeline = open_pipeline(judged, None, [], quiet=True)
    inner = pipeline.teacher.recommender
    both = Mixture([inner, Named(inner)], [1.0, 1.0])
    notes = {
        "members": [{"name": "a", "weight": 0.5}, {"name": "b", "weight": 0.5, "remarks": ["so"]}]
    }
    teacher = SimpleNamespace(recommender=both, notes=notes)
    seconds = {"teacher": SimpleNamespace(seconds=1.0)}
    found = _own(SimpleNamespace(teacher=teacher, outcomes=seconds))
    assert [(role, one.weight, one.remarks) for role, one in found.items()] == [
        ("teacher", None, ()),
        ("teacher/a", 0.5, ()),
        ("teacher/b", 0.5, ("so",)),
    ]
    accounts = [_account(one.teacher, one.model) for one in found.values()]
    whole = {"named": 4, "in_catalogue": 3, "grounded": 0.75}
    assert accounts == [whole, {}, whole]
