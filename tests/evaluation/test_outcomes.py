"""What heads tell of held-out events, against the definitions, case by case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error, roc_auc_score

from recdistill.data.holdout import open_test
from recdistill.data.layout import TEST, read_events
from recdistill.evaluation.options import EvaluationConfig
from recdistill.evaluation.outcomes import outcomes
from recdistill.evaluation.protocol import examine
from recdistill.evaluation.report.outcomes import outcomes as shown
from recdistill.models.outcomes import heads_of
from recdistill.models.sasrec import SASRec


def model(dataset, seed, names=("rating", "like")):
    """Not trained, but with heads that say something; sees whole histories."""
    made = SASRec.for_dataset(
        dataset, seed=seed, width=8, blocks=1, history=200, dropout=0.0, outcomes=list(names)
    )
    made.network.eval()
    heads_of(made.network).prepare(dataset)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in heads_of(made.network).parameters():
            value.copy_(torch.randn(value.shape, generator=random) * 0.2)
    return made


@pytest.fixture(scope="module")
def models(tiny_dataset):
    return {
        "teacher": (model(tiny_dataset, 9, ()),),
        "student": (model(tiny_dataset, 0), model(tiny_dataset, 1)),
        "student_without_distillation": (model(tiny_dataset, 2), model(tiny_dataset, 3)),
        "tutor/rating": (model(tiny_dataset, 4, ["rating"]),),
    }


@pytest.fixture(scope="module")
def held_out(models, tiny_dataset):
    config = EvaluationConfig(resamples=1000)
    cases = open_test(tiny_dataset.folder)
    return examine({"student": models["student"]}, tiny_dataset, cases, "test", config=config)


def test_test_cases_know_what_their_targets_were_given(tiny_dataset):
    """Row by row the events of the test file, as far as they are cases."""
    events, cases = read_events(tiny_dataset.folder, TEST), open_test(tiny_dataset.folder)
    log = {
        (user, item, place): rating
        for place, (user, item, rating) in enumerate(
            zip(events.users.tolist(), events.items.tolist(), events.ratings.tolist(), strict=True)
        )
    }
    asked = zip(
        cases.users.tolist(),
        cases.targets.values[cases.targets.starts].tolist(),
        cases.ratings.tolist(),
        strict=True,
    )
    places = iter(log.items())
    for user, item, rating in asked:  # both are in order; some events are no cases
        assert any((u, i) == (user, item) and r == rating for (u, i, _), r in places)
    few = cases.take(np.array([3, 1]))
    assert few.ratings.tolist() == [cases.ratings[3], cases.ratings[1]]
    assert len(tiny_dataset.valid.ratings) == len(tiny_dataset.valid)


def test_figures_are_those_of_scikit_learn(models, held_out, tiny_dataset):
    found = outcomes(models, held_out)
    cases = held_out.cases
    names = tiny_dataset.vocabulary.ids
    histories = [
        names[row].to_list() for row in map(cases.histories.__getitem__, range(len(cases)))
    ]
    items = names[cases.targets.values[cases.targets.starts]].to_list()
    liked = cases.ratings >= 4
    for role in ("student", "student_without_distillation"):
        told = [one.outcomes(histories, items) for one in models[role]]
        expected = {
            "rmse": np.mean([mean_squared_error(cases.ratings, t["rating"]) ** 0.5 for t in told]),
            "mae": np.mean([mean_absolute_error(cases.ratings, t["rating"]) for t in told]),
            "auc": np.mean([roc_auc_score(liked, t["like"]) for t in told]),
            "log_loss": np.mean([log_loss(liked, t["like"].to_numpy()) for t in told]),
        }
        assert {
            **found["rating"]["models"][role],
            **found["like"]["models"][role],
        } == pytest.approx(expected, rel=1e-4)
    assert found["rating"]["cases"] == len(cases)
    assert set(found["rating"]["models"]) == {*models, "training_mean"} - {"teacher"}
    assert "tutor/rating" not in found["like"]["models"]


def test_the_mean_of_training_stands_beside(models, held_out, tiny_dataset):
    found, ratings = outcomes(models, held_out), tiny_dataset.train.ratings
    given = held_out.cases.ratings.astype(np.float64)
    mean = found["rating"]["models"]["training_mean"]
    assert mean["rmse"] == pytest.approx(np.sqrt(((given - ratings.mean()) ** 2).mean()), rel=1e-5)
    like = found["like"]["models"]["training_mean"]
    assert like["auc"] == 0.5
    share = (ratings >= 4).mean()
    expected = log_loss(given >= 4, np.full(len(given), share))
    assert like["log_loss"] == pytest.approx(expected, rel=1e-5)


def test_the_difference_is_student_minus_twin(models, held_out):
    found = outcomes(models, held_out)["like"]
    mine, twins = (
        found["models"][role]["log_loss"] for role in ("student", "student_without_distillation")
    )
    gap = found["difference"]
    assert gap["of"] == "log_loss"
    assert gap["mean"] == pytest.approx(mine - twins)
    assert gap["low"] < gap["mean"] < gap["high"]
    same = outcomes({**models, "student_without_distillation": models["student"]}, held_out)
    assert [same["rating"]["difference"][key] for key in ("mean", "low", "high")] == [0.0] * 3


def test_nothing_where_nobody_knows(models, held_out):
    silent = replace(held_out, cases=replace(held_out.cases, ratings=None))
    assert outcomes(models, silent) == {}
    assert outcomes({"student": models["teacher"]}, held_out) == {}
    assert outcomes({}, held_out) == {}
    all_liked = replace(held_out.cases, ratings=np.full_like(held_out.cases.ratings, 5.0))
    figures = outcomes(models, replace(held_out, cases=all_liked))["like"]["models"]["student"]
    assert figures["auc"] is None
    assert figures["log_loss"] > 0


def test_a_page_shows_each_head(models, held_out):
    ratings, likes = shown(outcomes(models, held_out))
    assert (ratings.title, likes.title) == ("Ratings", "Likes")
    assert [measure.label for measure in ratings.table.measures] == ["RMSE", "MAE"]
    assert {line.label for line in ratings.table.lines} == {
        "Student",
        "Student, not distilled",
        "Tutor: rating",
        "training mean",
    }
    better = {"difference": {"of": "squared_error", "mean": -0.1, "low": -0.2, "high": -0.05}}
    (head,) = shown({"rating": better})
    assert head.sentence.startswith("The distilled student’s squared error is lower")
    assert shown({}) == ()
