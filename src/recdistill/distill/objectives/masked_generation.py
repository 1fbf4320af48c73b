"""`masked-generation`: from a part of its features the student is to make the teacher's vector.

    L = 1/d · ‖ṽ_T − G(m ⊙ v_S)‖²          m_k = 0 with the mask rate, else 1

Masked generative distillation (MGD: Yang et al. 2022) for vectors: where the student's features
are hidden at random, the others must hold enough for a small net G = W₂ ReLU(W₁ · + b₁) + b₂ to
generate the teacher's, so that knowledge is spread instead of copied into a few of them. ṽ_T is the
teacher's vector minus the mean, over one factor for all: the loss is the share of the teacher's
variance that is not generated, and 1 is what knowing nothing gives. G is dropped after training.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import AfterValidator, PositiveInt
from torch import Tensor, nn

from recdistill.distill.objectives.bridges import Standardising
from recdistill.distill.objectives.contract import Knobs, VectorObjective
from recdistill.distill.schedules import Schedule, Within
from recdistill.models.geometry import squared_distance

MaskRate = Annotated[Schedule, AfterValidator(Within(0.0, high=0.95))]
"""The share of features hidden; with all of them hidden there would be nothing to learn from."""


def shown(
    vectors: Float[Tensor, "rows width"], hidden: Bool[Tensor, "rows width"]
) -> Float[Tensor, "rows width"]:
    """The vectors with 0 for what is hidden; unlike dropout, what is left keeps its size."""
    return vectors.masked_fill(hidden, 0.0)


class Generator(nn.Module):
    """A two-layer net from the student's space to the teacher's."""

    def __init__(
        self, width: int, teacher: Float[Tensor, "rows teacher_width"], inner: int
    ) -> None:
        super().__init__()
        self.target = Standardising(teacher)
        self.net = nn.Sequential(
            nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, teacher.shape[1])
        )

    def forward(
        self, student: Float[Tensor, "rows width"], teacher: Float[Tensor, "rows teacher_width"]
    ) -> Float[Tensor, " rows"]:
        """The share of each row's teacher that the net does not generate."""
        return squared_distance(self.net(student), self.target(teacher))


class MaskedGeneration(VectorObjective):
    """Generation of the teacher's vectors from the student's with some features hidden."""

    kind: Literal["masked-generation"] = "masked-generation"
    rate: MaskRate = 0.5
    """The share of the student's features that is hidden, anew for every row and step."""
    inner: PositiveInt = 256
    """The width of the generator's hidden layer."""

    def bridge(self, width: int, teacher: Float[Tensor, "rows teacher_width"]) -> Generator:
        """The generator."""
        return Generator(width, teacher, self.inner)

    def __call__(
        self,
        student: Float[Tensor, "rows width"],
        teacher: Float[Tensor, "rows teacher_width"],
        bridge: Generator,
        knobs: Knobs,
    ) -> Float[Tensor, " rows"]:
        """The share of each row's teacher that is not generated."""
        return bridge(shown(student, torch.rand_like(student) < knobs["rate"]), teacher)
