"""An objective at one moment, with what it needs for one batch: what the loss adds up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from recdistill.distill.lookup import Lookup
from recdistill.distill.objectives.contract import (
    Knobs,
    LogitObjective,
    Objective,
    Places,
    Signal,
    VectorObjective,
)
from recdistill.models.logits import Logits
from recdistill.training.step import TorchBatch


@dataclass(frozen=True)
class Output:
    """What the student says about a batch.

    Attributes:
        batch: the packed histories.
        states: what it knows after each position.
        table: its item vectors.
    """

    batch: TorchBatch
    states: Float[Tensor, "positions width"]
    table: Float[Tensor, "items width"]

    def pairs(self, lookup: Lookup, most: int) -> tuple[Float[Tensor, "rows width"], Signal]:
        """What the student holds, and what the teacher said, about the same items or positions.

        Args:
            lookup: whether about items or about contexts, it knows.
            most: at most so many pairs, drawn among those of which the teacher spoke; the random
                numbers are those of the training step.
        """
        if lookup.about_items:
            held, subjects = self.table, torch.cat([self.batch.items, self.batch.targets]).unique()
            rows = subjects
        else:
            held, subjects = self.states, self.batch.events
            rows = torch.arange(len(subjects), device=subjects.device)
        spoken = torch.from_numpy(lookup.has(subjects.numpy(force=True))).nonzero().squeeze(1)
        chosen = spoken[torch.randperm(len(spoken))[:most].sort().values].to(rows.device)
        return held[rows[chosen]], lookup.read(subjects[chosen].numpy(force=True), held.device)


@dataclass(frozen=True)
class LogitTerm:
    """A logit objective with its signal, ready for any chunk of the batch.

    Attributes:
        objective: what is compared.
        knobs: the present values of its schedules.
        signal: what the teacher said at every position.
        counts: the positions at which the term is defined.
    """

    objective: LogitObjective
    knobs: Knobs
    signal: Signal
    counts: Bool[Tensor, " positions"]

    def __call__(self, logits: Logits, places: Places, part: slice) -> Float[Tensor, ""]:
        """The chunk's share of the weighted mean over the batch."""
        signal = {name: field[part] for name, field in self.signal.items()}
        losses = self.objective(logits, places[part], signal, self.knobs)
        counted = torch.where(self.counts[part], losses, 0.0).sum()
        return counted * (self.knobs["weight"] / self.counts.sum().clamp_min(1))


@dataclass(frozen=True)
class VectorTerm:
    """A vector objective with the bridge between the two sides.

    Attributes:
        objective: what is compared.
        knobs: the present values of its schedules.
        bridge: carries both sides into one space.
        lookup: what the teacher said.
    """

    objective: VectorObjective
    knobs: Knobs
    bridge: nn.Module
    lookup: Lookup

    def __call__(self, output: Output) -> Float[Tensor, ""]:
        """The weighted mean over the pairs of the batch; 0 where there is none."""
        student, signal = output.pairs(self.lookup, self.objective.sample)
        left, right = self.bridge(student, signal["vectors"])
        losses = self.objective(left, right, self.knobs)
        return losses.sum() * (self.knobs["weight"] / max(len(losses), 1))


def described(
    objective: Objective, knobs: Knobs, weighted: Float[Tensor, ""]
) -> Mapping[str, Tensor]:
    """A term as logs show it: plain, weighted, and with the present value of each schedule."""
    label = objective.label
    values = {f"{label}/{name}": weighted.new_full((), value) for name, value in knobs.items()}
    return {label: weighted / knobs["weight"], f"{label}/weighted": weighted, **values}
