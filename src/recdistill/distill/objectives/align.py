"""`align`: the student's vectors, through a learned projection, are to point where the teacher's
do.

    cosine    L = 1 − cos(W v_S + b, v_T)
    mse       L = 1/d · ‖W v_S + b − v_T‖²               (FitNets: Romero et al. 2015, eq. 3)
    whitened  L = 1/d · ‖W v_S + b − Λ^{-1/2} Uᵀ (v_T − μ)‖²

The projection W belongs to the objective, is learned with the student and dropped after training.
`whitened` first takes the teacher's mean and its d strongest directions and gives each the same
say: the vectors of language models share one dominant direction, and the other two distances spend
most of themselves on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recdistill.distill.objectives.contract import Knobs, VectorObjective
from recdistill.distill.principal import principal

Distance = Callable[
    [Float[Tensor, "rows width"], Float[Tensor, "rows width"]], Float[Tensor, " rows"]
]


_FLAT = 1e-5
"""Directions with less than this share of the strongest deviation hold rounding, not meaning."""


def cosine_distance(
    student: Float[Tensor, "rows width"], teacher: Float[Tensor, "rows width"]
) -> Float[Tensor, " rows"]:
    """1 − cos of each pair, in [0, 2]."""
    return 1 - torch.cosine_similarity(student, teacher, dim=-1)


def squared_distance(
    student: Float[Tensor, "rows width"], teacher: Float[Tensor, "rows width"]
) -> Float[Tensor, " rows"]:
    """The mean squared difference of each pair."""
    return (student - teacher).square().mean(-1)


class Whitening(nn.Module):
    """Vectors by their coordinates along the strongest directions, each of unit deviation."""

    def __init__(self, vectors: Float[Tensor, "rows width"], count: int) -> None:
        super().__init__()
        found = principal(vectors, count)
        real = found.deviations > _FLAT * found.deviations.max()
        axes = found.axes[:, real] / found.deviations[real]
        self.register_buffer("mean", found.mean.to(vectors.dtype))
        self.register_buffer("axes", axes.to(vectors.dtype))

    def forward(self, vectors: Float[Tensor, "rows width"]) -> Float[Tensor, "rows count"]:
        """The coordinates."""
        mean, axes = cast(Tensor, self.mean), cast(Tensor, self.axes)
        return (vectors - mean) @ axes


class Bridge(nn.Module):
    """A learned linear map for the student's side, a fixed one for the teacher's."""

    def __init__(self, width: int, teacher: nn.Module, teacher_width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, teacher_width)
        self.teacher = teacher

    def forward(
        self, student: Float[Tensor, "rows width"], teacher: Float[Tensor, "rows teacher_width"]
    ) -> tuple[Float[Tensor, "rows common"], Float[Tensor, "rows common"]]:
        """Both sides in the teacher's space."""
        return self.project(student), self.teacher(teacher)


class Align(VectorObjective):
    """Distance of the student's item or user vectors from the teacher's, through a learned
    projection."""

    kind: Literal["align"] = "align"
    on: Literal["item-vectors", "user-vectors"] = "item-vectors"
    distance: Literal["cosine", "mse", "whitened"] = "cosine"

    def bridge(self, width: int, teacher: Float[Tensor, "rows teacher_width"]) -> nn.Module:
        """A linear projection to the teacher's vectors, whitened when the distance says so."""
        if self.distance != "whitened":
            return Bridge(width, nn.Identity(), teacher.shape[1])
        whitening = Whitening(teacher, width)
        return Bridge(width, whitening, cast(Tensor, whitening.axes).shape[1])

    def __call__(
        self,
        student: Float[Tensor, "rows width"],
        teacher: Float[Tensor, "rows width"],
        knobs: Knobs,
    ) -> Float[Tensor, " rows"]:
        """The distance of each pair."""
        distance: Distance = cosine_distance if self.distance == "cosine" else squared_distance
        return distance(student, teacher)
