"""An objective at one moment, with what it needs for one batch: what the loss adds up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recdistill.distill.filters import Filter, Heard
from recdistill.distill.lookup import Lookup
from recdistill.distill.objectives.contract import (
    Knobs,
    LiveObjective,
    LogitObjective,
    Objective,
    Places,
    VectorObjective,
)
from recdistill.distill.objectives.outcome import Outcome
from recdistill.distill.output import Output
from recdistill.models.logits import Logits


@dataclass(frozen=True)
class LogitTerm:
    """A logit objective with its signal, ready for any chunk of the batch.

    Attributes:
        objective: what is compared.
        knobs: the present values of its schedules.
        heard: what the teacher said at every position, and where the term is defined.
        filters: each with the present values of its schedules.
    """

    objective: LogitObjective
    knobs: Knobs
    heard: Heard
    filters: Sequence[tuple[Filter, Knobs]] = ()

    def __call__(self, logits: Logits, places: Places, part: slice) -> Float[Tensor, ""]:
        """The chunk's share of the weighted mean over the positions where the term is defined."""
        here, heard = places[part], self._filtered(self.heard[part], logits, places[part])
        losses = self.objective(logits, here, heard.signal, self.knobs)
        # Where nothing counts a loss may be anything, infinite too.
        counted = torch.where(heard.counts > 0, losses * heard.counts, 0.0).sum()
        return counted * (self.knobs["weight"] / self.heard.counts.sum().clamp_min(1))

    @property
    def learned(self) -> list[Tensor]:
        """Those of its knobs that gradients reach."""
        return [knob for knob in self.knobs.values() if isinstance(knob, Tensor)]

    @torch.no_grad()
    def _filtered(self, heard: Heard, logits: Logits, places: Places) -> Heard:
        for each, knobs in self.filters:
            heard = each(heard, logits, places, knobs)
        return heard


@dataclass(frozen=True)
class VectorTerm:
    """A vector objective with what it learns beside the student.

    Attributes:
        objective: what is compared.
        knobs: the present values of its schedules.
        bridge: what lies between the two sides' spaces.
        lookup: what the teacher said.
    """

    objective: VectorObjective
    knobs: Knobs
    bridge: nn.Module
    lookup: Lookup

    def __call__(self, output: Output) -> Float[Tensor, ""]:
        """The weighted mean over the pairs of the batch; 0 where there is none.

        In single precision whatever the student's: similarities that agree to three digits, as
        half precision keeps them, cannot teach differences between near neighbours.
        """
        student, signal = output.pairs(self.lookup, self.objective.sample)
        with torch.autocast(student.device.type, enabled=False):
            sides = student.float(), signal["vectors"].float()
            losses = self.objective(*sides, self.bridge, self.knobs)
        return losses.sum() * (self.knobs["weight"] / max(len(losses), 1))


@dataclass(frozen=True)
class LiveTerm:
    """A live objective with what it learns beside the student.

    Attributes:
        objective: what is compared.
        knobs: the present values of its schedules.
        bridge: what lies between the two models.
        teacher: what the other model says about the batch.
    """

    objective: LiveObjective
    knobs: Knobs
    bridge: nn.Module
    teacher: Output

    def __call__(self, output: Output) -> Float[Tensor, ""]:
        """The weighted mean over the positions of the batch, in single precision."""
        with torch.autocast(output.states.device.type, enabled=False):
            losses = self.objective(output, self.teacher, self.bridge, self.knobs)
        return losses.sum() * (self.knobs["weight"] / max(len(losses), 1))


@dataclass(frozen=True)
class OutcomeTerm:
    """An outcome objective with whom it asks.

    Attributes:
        objective: what is compared.
        knobs: the present values of its schedules.
        places: what is known of the positions of the batch.
        teacher: what the other model says about the batch, where there is one.
    """

    objective: Outcome
    knobs: Knobs
    places: Places
    teacher: Output | None

    def __call__(self, output: Output) -> Float[Tensor, ""]:
        """The weighted mean over the positions where it is defined, in single precision; 0 where there is none."""
        with torch.autocast(output.states.device.type, enabled=False):
            sides = output.precise(), self.teacher and self.teacher.precise()
            losses, counts = self.objective(*sides, self.places, self.knobs)
        return (losses * counts).sum() * (self.knobs["weight"] / counts.sum().clamp_min(1))


Term = LogitTerm | VectorTerm | LiveTerm | OutcomeTerm
"""Any of them."""


def described(
    objective: Objective,
    knobs: Knobs,
    weighted: Float[Tensor, ""],
    factor: Float[Tensor, ""],
) -> Mapping[str, Tensor]:
    """A term as logs show it: plain, weighted, and with the present value of each schedule (and of the
    weighting's `factor`, unless that is 1)."""
    label = objective.label
    values = {f"{label}/{name}": _shown(value, weighted) for name, value in knobs.items()}
    if factor != 1:
        values[f"{label}/factor"] = factor
    plain = weighted / (knobs["weight"] * factor)
    return {label: plain, f"{label}/weighted": weighted, **values}


def _shown(value: float | Tensor, like: Tensor) -> Tensor:
    return value.detach() if isinstance(value, Tensor) else like.new_full((), value)
