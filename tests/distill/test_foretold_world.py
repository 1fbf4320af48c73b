"""Ratings from a known low-rank model, few and noisy: a teacher asked about what nobody rated leaves a better head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recdistill.data.sequences import Sequences
from recdistill.distill import distill
from recdistill.models.foretelling import foretold, rmse
from recdistill.models.outcomes import heads_of
from recdistill.models.sasrec import SASRec
from recdistill.training.options import AdamW, TrainingConfig

NOISE = 1.0
TRAINING = TrainingConfig(
    epochs=12, batch_size=16, patience=None, optimizer=AdamW(learning_rate=0.01)
)
OWN = [{"kind": "next-item"}, {"kind": "outcome", "head": "rating"}]


@pytest.fixture(scope="module")
def nature(tiny_dataset) -> SASRec:
    """Who gives what: a rating is 3 + w·(h ∘ v) + b·v, of rank 5 at most."""
    model = SASRec.for_dataset(
        tiny_dataset, width=4, blocks=1, history=10, dropout=0.0, outcomes=["rating"]
    )
    random = torch.Generator().manual_seed(0)
    head = heads_of(model.network)["rating"]
    with torch.no_grad():
        model.network.items.vectors.normal_(generator=random)
        head.base.fill_(3.0)
        head.pair.normal_(0, 0.4, generator=random)
        head.item.normal_(0, 0.4, generator=random)
    model.network.eval()
    return model


@pytest.fixture(scope="module")
def world(tiny_dataset, nature):
    """The log, with nature's ratings and noise as large as what tells items apart."""
    train, random = tiny_dataset.train, np.random.default_rng(0)
    starts = np.repeat(train.offsets[:-1], np.diff(train.offsets))
    before = Sequences(train.items, starts, np.arange(len(train)))
    true = foretold(nature, before, train.items.astype(np.int64))["rating"]
    noisy = true + NOISE * random.normal(size=len(true))
    return replace(tiny_dataset, train=replace(train, ratings=noisy.astype(np.float32)))


def wrong(model: SASRec, nature: SASRec, world) -> float:
    """The RMSE over all items after all validation histories, against what nature would give."""
    cases = world.valid
    rows = np.repeat(np.arange(len(cases)), world.num_items)
    items = np.tile(np.arange(world.num_items), len(cases))
    told, true = (
        foretold(one, cases.histories.take(rows), items)["rating"] for one in (model, nature)
    )
    return rmse(told.astype(np.float64), true.astype(np.float64))


@pytest.mark.slow  # three trainings in a world that is known
def test_what_nobody_rated_is_learned_from_who_knows(world, nature):
    errors = {}
    for name, more in {
        "observed": {},
        "at ratings": {"draws": 0},
        "everywhere": {"draws": 10},
    }.items():
        student = SASRec.for_dataset(
            world, seed=0, width=8, blocks=1, history=10, dropout=0.1, outcomes=["rating"]
        )
        taught = {"kind": "outcome", "name": "taught", "head": "rating", "of": "teacher", **more}
        terms = [*OWN, taught] if more else OWN
        distill(student, world, None, {"objectives": terms}, TRAINING, teacher=nature)
        errors[name] = wrong(student, nature, world)

    assert errors["everywhere"] < 0.8 * errors["observed"]
    assert errors["everywhere"] < 0.8 * errors["at ratings"]
