"""Likeness, calibration and the generalisation gap, of models whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recdistill.evaluation.inheritance import inheritance, likeness, training_cases
from recdistill.evaluation.options import EvaluationConfig
from recdistill.evaluation.protocol import examine, popularity_of
from recdistill.evaluation.roles import STUDENT, TEACHER, TWIN
from recdistill.models.item_knn import ItemKNN
from recdistill.models.sasrec import SASRec

CONFIG = EvaluationConfig(metrics=("ndcg@10",), resamples=1000)


@pytest.fixture(scope="module")
def models(tiny_dataset):
    return {seed: SASRec.for_dataset(tiny_dataset, width=8, blocks=1, history=10, seed=seed)
            for seed in range(3)}  # fmt: skip


def test_training_cases_are_the_events_before_the_cut(tiny_dataset):
    cases = training_cases(tiny_dataset, 10**9)
    histories = tiny_dataset.train.histories
    expected = [
        (user, histories[user][:end].tolist(), [int(histories[user][end])])
        for user in range(len(histories))
        for end in range(1, len(histories[user]))
    ]
    found = [
        (int(cases.users[row]), cases.histories[row].tolist(), cases.targets[row].tolist())
        for row in range(len(cases))
    ]
    assert found == expected
    few = training_cases(tiny_dataset, 50)
    assert len(few) == 50
    assert np.array_equal(few.users, training_cases(tiny_dataset, 50).users)


def test_a_copy_is_alike_and_a_stranger_is_not(models, tiny_dataset):
    known = popularity_of(tiny_dataset) > 0
    same = likeness([models[0]], [models[0]], tiny_dataset.valid, known)
    assert same == pytest.approx({"item_cka": 1.0, "state_cka": 1.0})
    other = likeness([models[0]], [models[1], models[2]], tiny_dataset.valid, known)
    pair = [likeness([models[0]], [models[n]], tiny_dataset.valid, known) for n in (1, 2)]
    assert other["item_cka"] == pytest.approx(np.mean([one["item_cka"] for one in pair]))
    assert other["item_cka"] < 0.9


def test_items_that_nobody_took_do_not_count(models, tiny_dataset):
    known = popularity_of(tiny_dataset) > 0
    known[:5] = False
    one = SASRec.for_dataset(tiny_dataset, width=8, blocks=1, history=10, seed=0)
    with torch.no_grad():
        one.network.items.vectors[:5] = 100.0
    found = likeness([models[0]], [one], tiny_dataset.valid.take(slice(0, 5)), known)
    assert found["item_cka"] == pytest.approx(1.0)


def test_without_vectors_there_is_no_likeness(models, tiny_dataset):
    neighbours = ItemKNN.for_dataset(tiny_dataset).fit(tiny_dataset)
    known = popularity_of(tiny_dataset) > 0
    assert likeness([neighbours], [models[0]], tiny_dataset.valid, known) == {}


def test_the_whole_of_it(models, tiny_dataset):
    entrants = {TEACHER: models[0], STUDENT: [models[0], models[1]], TWIN: models[2]}
    held_out = examine(entrants, tiny_dataset, tiny_dataset.valid, "valid", config=CONFIG)
    found = inheritance({**entrants, "other": models[1]}, tiny_dataset, held_out)
    assert set(found) == set(entrants)
    assert "item_cka" not in found[TEACHER]
    assert found[STUDENT]["item_cka"] > found[TWIN]["item_cka"]
    metric = held_out.metrics[0]
    for role, values in found.items():
        assert values["train"] - values["gap"] == pytest.approx(held_out.value(role, metric))
    assert held_out.dataset["valid_cases"] == len(tiny_dataset.valid)
    assert "test_cases" not in held_out.dataset


def test_without_a_metric_of_accuracy_there_is_no_gap(models, tiny_dataset):
    config = CONFIG.model_copy(update={"metrics": ("coverage@10",)})
    held_out = examine(
        {STUDENT: models[0]}, tiny_dataset, tiny_dataset.valid, "valid", config=config
    )
    (values,) = inheritance({STUDENT: models[0]}, tiny_dataset, held_out).values()
    assert "gap" not in values
    assert "item_cka" not in values
    assert values["calibration_error"] >= 0
