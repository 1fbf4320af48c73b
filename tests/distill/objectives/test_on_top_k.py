"""Every objective on `top-k`, in a recipe, on a real student and stored signals."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from spoken import speak

from recdistill.data.batches import TrainingBatches
from recdistill.distill.lookup import lookups
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import AnyObjective, LogitObjective
from recdistill.distill.recipe import Recipe
from recdistill.models.sasrec import SASRec
from recdistill.training.step import Moment, TorchBatch

SETTINGS = {
    "kl": {"direction": "skew", "standardise": True},
    "mse": {},
    "soft-cross-entropy": {"temperature": 2.0},
    "soft-bce": {},
    "dkd": {},
    "dist": {},
    "margin-mse": {},
    "ranking": {},
    "collaborative": {"listed": 5},
    "relaxed-ranking": {"interesting": 5},
    "list-mle": {"rest": "below", "discount": "logarithmic"},
    "discrepancy": {"under": 5},
    "popularity-groups": {"groups": 2},
    "importance-aware": {},
}
START = Moment(step=0, steps=50, epoch=0, feedback={})


def kinds():
    union = get_args(get_args(AnyObjective)[0])
    heard = [one for one in union if issubclass(one, LogitObjective) and one().source == "top-k"]
    return {one.model_fields["kind"].default for one in heard}


def test_all_are_tested_here():
    assert kinds() == set(SETTINGS)


@pytest.fixture(scope="module")
def signals(tiny_dataset, tmp_path_factory):
    return speak(tmp_path_factory.mktemp("signals"), tiny_dataset, k=10)


@pytest.fixture(scope="module")
def batch(tiny_dataset):
    return TorchBatch.of(TrainingBatches(tiny_dataset.train.histories, 10, 16, 0).batch(0, 0))


def make(dataset, signals, **objective):
    """The loss of one term, and the parameters of its student."""
    recipe = Recipe.of({"objectives": [objective]})
    recipe.check(signals.kinds)
    assert Recipe.of(recipe.model_dump()) == recipe
    torch.manual_seed(0)
    student = SASRec.for_dataset(dataset, width=8, blocks=1, history=10, dropout=0.0)
    counts = torch.from_numpy(np.bincount(dataset.train.items, minlength=dataset.num_items))
    heard = lookups(signals, dataset, recipe.needs)
    loss = DistillationLoss(student, recipe.objectives, heard, counts.float())
    return loss, list(student.network.parameters())


def step_loss(loss, batch, step=0):
    torch.manual_seed(step)
    return loss(batch, START).total


def train(loss, parameters, batch, steps=30):
    optimiser = torch.optim.Adam(parameters, lr=0.01)
    for step in range(steps):
        optimiser.zero_grad()
        step_loss(loss, batch, step).backward()
        optimiser.step()


@pytest.mark.parametrize("kind", sorted(SETTINGS.keys() - {"discrepancy"}))
def test_a_student_learns_it(tiny_dataset, signals, batch, kind):
    loss, parameters = make(tiny_dataset, signals, kind=kind, **SETTINGS[kind])
    first = step_loss(loss, batch).item()
    train(loss, parameters, batch)
    assert step_loss(loss, batch).item() < 0.95 * first


def test_a_student_learns_from_discrepancies(tiny_dataset, signals, batch):
    """Its loss is about what is still wrong, and need not fall as less of it is; the student's best
    items become more of the teacher's all the same."""
    heard = lookups(signals, tiny_dataset, ["top-k"])["top-k"].read(batch.events.numpy())["items"]

    def shared(loss):
        student = loss._student
        table = student.item_table()
        best = (student.encode(batch, table) @ table.T).topk(10).indices
        return (best.unsqueeze(2) == heard.unsqueeze(1)).any(2).float().mean().item()

    loss, parameters = make(tiny_dataset, signals, kind="discrepancy", **SETTINGS["discrepancy"])
    before = shared(loss)
    train(loss, parameters, batch, steps=100)
    assert shared(loss) > before + 0.15


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("heard", [{"kind": "top", "n": 1}, {"kind": "part", "keep": 0.3}])
def test_filters_may_shorten_its_lists(tiny_dataset, signals, batch, kind, heard):
    loss, parameters = make(tiny_dataset, signals, kind=kind, filters=[heard], **SETTINGS[kind])
    found = step_loss(loss, batch)
    found.backward()
    assert found.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in parameters)
