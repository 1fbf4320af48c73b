"""What holds of every objective on vectors: nothing breaks where geometry is degenerate, and all
are learned from stored signals beside a real student."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from vector_objectives import bridge_of, loss_of, vectors

from recdistill.data.batches import TrainingBatches
from recdistill.distill.lookup import lookups
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import (
    Align,
    AnyObjective,
    DistillationExperts,
    InfoNCE,
    MaskedGeneration,
    Relation,
    Topology,
    VectorObjective,
)
from recdistill.models.sasrec import SASRec
from recdistill.training.step import Moment, TorchBatch

OBJECTIVES = [
    Align(),
    Align(distance="mse"),
    Align(distance="whitened"),
    Relation(),
    Topology(),
    Topology(structure="hierarchical", groups=3),
    InfoNCE(common=6),
    DistillationExperts(experts=3),
    MaskedGeneration(),
]
NAMES = ["cosine", "mse", "whitened", "relation", "full", "hierarchical", "nce", "experts", "mgd"]
EVERY = pytest.mark.parametrize("objective", OBJECTIVES, ids=NAMES)
START = Moment(step=0, steps=11, epoch=0, feedback={})


def test_every_objective_on_vectors_is_here():
    known = [
        kind for kind in get_args(get_args(AnyObjective)[0]) if issubclass(kind, VectorObjective)
    ]
    assert {type(objective) for objective in OBJECTIVES} == set(known)


SOME, THEIRS, ONES = vectors(6, 4).float(), vectors(6, 5, seed=1).float(), torch.ones(6, 1)
DEGENERATE = {
    "no pair": (SOME[:0], THEIRS[:0]),
    "one pair": (SOME[:1], THEIRS[:1]),
    "two pairs": (SOME[:2], THEIRS[:2]),
    "student of zeros": (0 * SOME, THEIRS),
    "teacher of zeros": (SOME, 0 * THEIRS),
    "zeros": (0 * SOME, 0 * THEIRS),
    "equal students": (ONES * SOME[:1], THEIRS),
    "equal teachers": (SOME, ONES * THEIRS[:1]),
    "all equal": (ONES * SOME[:1], ONES * THEIRS[:1]),
    "all on a line": (ONES.cumsum(0) * SOME[:1], ONES.cumsum(0) * THEIRS[:1]),
    "far away": (SOME + 1e4, THEIRS + 1e4),
    "tiny": (1e-20 * SOME, 1e-20 * THEIRS),
}
"""Students and teachers without a geometry to speak of, in single precision."""


@EVERY
@pytest.mark.parametrize("case", DEGENERATE)
def test_nothing_breaks_where_there_is_no_geometry(objective, case):
    student, teacher = DEGENERATE[case]
    student = student.clone().requires_grad_()
    bridge = bridge_of(objective, 4, vectors(20, 5, seed=2).float())
    losses = loss_of(objective, student, teacher, bridge)
    assert losses.shape == (len(student),)
    losses.sum().backward()
    learned = [part.grad for part in bridge.parameters() if part.grad is not None]
    assert all(value.isfinite().all() for value in (losses, student.grad, *learned))
    if len(student) and case not in ("tiny", "far away"):  # nothing that throws an optimiser off
        assert student.grad.abs().max() < 1e3


@EVERY
def test_losses_are_one_a_pair_and_never_negative(objective):
    losses = loss_of(objective, vectors(9, 4), vectors(9, 5, seed=1))
    assert losses.shape == (9,)
    assert (losses >= 0).all()
    assert (losses > 0).any()


@pytest.fixture
def student(tiny_dataset):
    model = SASRec.for_dataset(tiny_dataset, width=8, blocks=1, history=10, dropout=0.0)
    torch.manual_seed(1)
    with torch.no_grad():
        model.network.items.vectors.normal_(std=0.5)
    return model


def first_batch(dataset):
    return TorchBatch.of(TrainingBatches(dataset.train.histories, 10, 16, 0).batch(0, 0))


def loss_on(student, dataset, signals, objective):
    counts = torch.from_numpy(np.bincount(dataset.train.items, minlength=dataset.num_items)).float()
    return DistillationLoss(student, [objective], lookups(signals, dataset, [objective.on]), counts)


@EVERY
@pytest.mark.parametrize("on", ["item-vectors", "user-vectors"])
def test_a_student_learns_it_from_stored_signals(tiny_dataset, signals, student, objective, on):
    torch.manual_seed(0)
    loss = loss_on(student, tiny_dataset, signals, objective.model_copy(update={"on": on}))
    batch = first_batch(tiny_dataset)
    learned = [*loss.parameters(), *student.network.parameters()]
    optimiser = torch.optim.Adam(learned, lr=0.02)

    def value():
        torch.manual_seed(5)
        return loss(batch, START).total

    first, before = value().item(), student.item_table().detach().clone()
    for _ in range(60):
        optimiser.zero_grad()
        value().backward()
        optimiser.step()
    assert value().item() < 0.75 * first
    assert (student.item_table() != before).any()
    assert not {id(part) for part in loss.parameters()} & {
        id(part) for part in student.network.parameters()
    }


@EVERY
def test_half_precision_is_compared_in_single(tiny_dataset, signals, student, objective):
    """User vectors are stored in half, and a student may be trained in it."""
    objective = objective.model_copy(update={"on": "user-vectors"})
    loss = loss_on(student, tiny_dataset, signals, objective)
    learned = [*loss._bridges.parameters(), *loss._bridges.buffers()]
    assert all(part.dtype == torch.float32 for part in learned)
    sides = []
    loss._bridges[0].register_forward_hook(lambda _module, inputs, _out: sides.extend(inputs[:1]))
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(first_batch(tiny_dataset), START).total.dtype == torch.float32
    assert all(side.dtype == torch.float32 for side in sides)
