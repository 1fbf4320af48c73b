"""Do the terms of a recipe pull a student the same way? And does a term pull it where held-out answers lie?

Two terms conflict where their gradients point apart: cos(g_i, g_j) < 0 (Yu et al. 2020, "Gradient surgery for
multi-task learning", definition 1). But at the end of a training the gradients of all terms sum to nothing, so
some of them must point apart, and that alone is no harm. Therefore each term's gradient is also compared with
that of the next-item loss on validation cases, which nobody descended: a term that points away from it takes
the student where held-out answers are less likely.

Gradients are of everything that a student learned: its items, and its encoder. What terms learn beside the
student (projections) is dropped after a training and is therefore fitted anew first, the student held still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from recdistill.data.batches import Batch, TrainingBatches, pack
from recdistill.data.cases import Cases, sample
from recdistill.data.dataset import Dataset
from recdistill.distill.lookup import Lookup
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import NextItem, Objective
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.training.step import Moment, TorchBatch

HELD_OUT = "held-out"
"""What the next-item loss on validation cases is called beside the terms."""
_ITEMS = "items."
"""Where a student's network keeps the parameters of its item vectors."""


@dataclass(frozen=True)
class Look:
    """How much is looked at.

    Attributes:
        batches: of training histories.
        rows: histories of each, at most.
        cases: validation cases behind the held-out gradient, at most.
        steps: of fitting what the terms learn beside the student.
    """

    batches: int = 12
    rows: int = 32
    cases: int = 256
    steps: int = 100


@dataclass(frozen=True)
class Tension:
    """Products of the gradients of terms, batch by batch.

    Attributes:
        labels: of the terms, then `HELD_OUT`.
        weights: of the terms at the moment looked at.
        items: ⟨g_i, g_j⟩ over the parameters of the items.
        encoder: the same over all other parameters.
    """

    labels: tuple[str, ...]
    weights: tuple[float, ...]
    items: Float64[np.ndarray, "batches terms terms"]
    encoder: Float64[np.ndarray, "batches terms terms"]

    @property
    def whole(self) -> Float64[np.ndarray, "batches terms terms"]:
        """Over all parameters."""
        return self.items + self.encoder

    @property
    def norms(self) -> Float64[np.ndarray, " terms"]:
        """‖g_i‖, the mean over batches, without weights."""
        return np.sqrt(np.diagonal(self.whole, axis1=1, axis2=2)).mean(axis=0)


def cosines(
    products: Float64[np.ndarray, "batches terms terms"],
) -> Float64[np.ndarray, "batches terms terms"]:
    """cos(g_i, g_j) = ⟨g_i, g_j⟩ / (‖g_i‖ ‖g_j‖) of each batch; NaN where a gradient vanishes."""
    norms = np.sqrt(np.diagonal(products, axis1=1, axis2=2))
    scale = norms[:, :, None] * norms[:, None, :]
    return np.divide(products, scale, out=np.full_like(products, np.nan), where=scale > 0)


def tension(
    student: SequenceModel,
    dataset: Dataset,
    objectives: Sequence[Objective],
    heard: Mapping[str, Lookup],
    moment: Moment,
    look: Look | None = None,
    teacher: Recommender | None = None,
    tutors: Mapping[str, SequenceModel] | None = None,
) -> Tension:
    """The gradients of all terms at the student as it is, term by term.

    Args:
        student: left as it was; dropout is off.
        dataset: of its training histories and validation cases.
        objectives: the terms.
        heard: the signals they name.
        moment: at which schedules are read.
        look: how much of the data is looked at.
        teacher: for terms that ask one inside the step.
        tutors: for such terms too, by name.
    """
    look = look or Look()
    source = TrainingBatches(dataset.train.histories, student.history, look.rows, seed=0)
    device = student.item_table().device
    steps = range(min(look.batches, source.steps))
    batches = [TorchBatch.of(source.batch(0, step), device) for step in steps]
    training = student.network.training
    student.network.eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        losses = [_alone(one, student, dataset, heard, teacher, tutors) for one in objectives]
        for loss in losses:
            _settle(loss, batches, moment, look.steps)
        common = _held_out(student, dataset, look.cases, device, moment)
        products = [
            _products([*(_gradient(loss, student, batch, moment) for loss in losses), common])
            for batch in batches
        ]
    student.network.train(training)
    weights = tuple(one.knobs(moment.progress, moment.feedback)["weight"] for one in objectives)
    labels = (*(one.label for one in objectives), HELD_OUT)
    items, encoder = (np.stack(part) for part in zip(*products, strict=True))
    return Tension(labels, weights, items, encoder)


def _alone(
    objective: Objective,
    student: SequenceModel,
    dataset: Dataset,
    heard: Mapping[str, Lookup],
    teacher: Recommender | None = None,
    tutors: Mapping[str, SequenceModel] | None = None,
) -> DistillationLoss:
    """The loss of one term, with weight 1."""
    counts = np.bincount(dataset.train.items, minlength=dataset.num_items)
    device = student.item_table().device
    plain = objective.model_copy(update={"weight": 1.0})
    return DistillationLoss(
        student,
        [plain],
        heard,
        torch.from_numpy(counts).float().to(device),
        teacher=teacher,
        ratings=torch.from_numpy(dataset.train.next_ratings).to(device),
        tutors=tutors,
    ).eval()


def _settle(
    loss: DistillationLoss, batches: Sequence[TorchBatch], moment: Moment, steps: int
) -> None:
    """Fit what the term learns beside the student."""
    learned = [one for one in loss.parameters() if one.requires_grad]
    if not learned:
        return
    optimiser = torch.optim.Adam(learned, lr=1e-2)
    for step in range(steps):
        total = loss(batches[step % len(batches)], moment).total
        found = torch.autograd.grad(total, learned, allow_unused=True, materialize_grads=True)
        for parameter, gradient in zip(learned, found, strict=True):
            parameter.grad = gradient
        optimiser.step()


_Gradient = tuple[Tensor, Tensor]
"""Of the items, and of everything else, each as one vector."""


def _gradient(
    loss: DistillationLoss, student: SequenceModel, batch: TorchBatch, moment: Moment
) -> _Gradient:
    named = {n: one for n, one in student.network.named_parameters() if one.requires_grad}
    found = torch.autograd.grad(
        loss(batch, moment).total, list(named.values()), allow_unused=True, materialize_grads=True
    )
    parts: tuple[list[Tensor], list[Tensor]] = ([], [])
    for name, gradient in zip(named, found, strict=True):
        parts[not name.startswith(_ITEMS)].append(gradient.detach().flatten().double())
    items, encoder = (torch.cat([*part, _NOTHING.to(batch.items.device)]) for part in parts)
    return items, encoder


_NOTHING = torch.zeros(0, dtype=torch.float64)


def _held_out(
    student: SequenceModel, dataset: Dataset, at_most: int, device: torch.device, moment: Moment
) -> _Gradient:
    """Of the next-item loss on validation cases."""
    batch = answered(dataset.valid.take(sample(dataset.valid, at_most)), student.history)
    loss = _alone(NextItem(), student, dataset, {})
    return _gradient(loss, student, TorchBatch.of(batch, device), moment)


def answered(cases: Cases, history: int) -> Batch:
    """Cases as a batch in which only the last position of each history has a target: the first answer."""
    filled = np.flatnonzero(cases.histories.lengths)
    batch, order = pack(cases.histories.take(filled).tail(history))
    targets = batch.targets.copy()
    first = cases.targets.values[cases.targets.starts[filled]]
    targets[batch.ends] = first[order]
    return replace(batch, targets=targets)


def _products(gradients: Sequence[_Gradient]) -> list[Float64[np.ndarray, "terms terms"]]:
    """Of each with each: over the items, and over everything else."""
    stacked = (torch.stack(parts) for parts in zip(*gradients, strict=True))
    return [(rows @ rows.T).cpu().numpy() for rows in stacked]
