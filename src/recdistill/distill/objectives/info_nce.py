"""`info-nce`: of all the teacher's vectors in the batch, the student's is to recognise its own.

    L_i = − log  exp(cos(W v_S,i, U v_T,i) / τ) / Σ_j exp(cos(W v_S,i, U v_T,j) / τ)

Contrastive representation distillation (Tian, Krishnan & Isola 2020) with the other rows of the
batch as negatives (InfoNCE: van den Oord, Li & Vinyals 2018, eq. 4): log n − L bounds from below
what the student's vectors tell about the teacher's. W and U are learned linear maps into one space,
dropped after training. Where two rows have one and the same vector of the teacher, as one history
asked twice has, neither is a negative of the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import AfterValidator, Field, PositiveInt
from torch import Tensor, nn

from recdistill.distill.objectives.bridges import Bridge
from recdistill.distill.objectives.contract import Knobs, Signal, VectorObjective
from recdistill.distill.schedules import Schedule, Within, extremes
from recdistill.models.geometry import cosines, others

ContrastTemperature = Annotated[Schedule, AfterValidator(Within(0.001))]
"""What cosines are divided by: at least a thousandth, where only the nearest negative counts."""

_UNSURE = 0.1
"""A student that recognises everything should be surer than this of what it recognises."""


def info_nce(
    student: Float[Tensor, "rows width"],
    teacher: Float[Tensor, "rows width"],
    temperature: float,
    negatives: Bool[Tensor, "rows rows"],
) -> Float[Tensor, " rows"]:
    """The cross-entropy of each student's vector to its own among the teacher's.

    Args:
        student: in the common space.
        teacher: in the common space, row by row the counterparts.
        temperature: τ.
        negatives: what each row is told from; a row's own counterpart always counts.
    """
    logits = cosines(student, teacher) / temperature
    counted = negatives | ~others(student)
    return logits.masked_fill(~counted, -torch.inf).logsumexp(-1) - logits.diagonal()


def distinct(vectors: Float[Tensor, "rows width"]) -> Bool[Tensor, "rows rows"]:
    """Which pairs of rows differ."""
    _, number = vectors.unique(dim=0, return_inverse=True)
    return number[:, None] != number[None, :]


class InfoNCE(VectorObjective):
    """Recognition of the teacher's vector among those of the batch."""

    kind: Literal["info-nce"] = "info-nce"
    temperature: ContrastTemperature = 0.07
    """τ: the lower, the more the nearest negatives count."""
    common: PositiveInt = 128
    """The width of the space in which the two sides are compared."""
    sample: int = Field(default=1024, ge=2)
    """The most pairs compared a step, drawn among the items (or positions) of the batch; each is
    told from all the others."""

    def advice(self, signal: Signal) -> Iterator[str]:
        """A temperature at which even a perfect student cannot be sure."""
        _, high = extremes(self.temperature)
        surest = 1 / (1 + (self.sample - 1) * math.exp(-1 / high))
        if surest < _UNSURE:
            yield (
                f"at temperature {high:g} a student that tells its own vector from {self.sample} "
                f"still gives it only {100 * surest:.1f} %; use at most "
                f"{1 / math.log(self.sample):.2g}."
            )

    def bridge(self, width: int, teacher: Float[Tensor, "rows teacher_width"]) -> Bridge:
        """A linear map for either side."""
        return Bridge(width, nn.Linear(teacher.shape[1], self.common), self.common)

    def __call__(
        self,
        student: Float[Tensor, "rows width"],
        teacher: Float[Tensor, "rows teacher_width"],
        bridge: Bridge,
        knobs: Knobs,
    ) -> Float[Tensor, " rows"]:
        """What it costs to tell each row's own from the others'."""
        left, right = bridge(student, teacher)
        return info_nce(left, right, knobs["temperature"], distinct(teacher))
