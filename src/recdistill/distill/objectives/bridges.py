"""What objectives on vectors learn beside the student: maps between the two sides' spaces."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recdistill.distill.principal import principal

_FLAT = 1e-5
"""Directions with less than this share of the strongest deviation hold rounding, not meaning."""


class Bridge(nn.Module):
    """A learned linear map for the student's side, and a map of any kind for the teacher's."""

    def __init__(self, width: int, teacher: nn.Module, common: int) -> None:
        """`common` is the width of what `teacher` gives."""
        super().__init__()
        self.project = nn.Linear(width, common)
        self.teacher = teacher

    def forward(
        self, student: Float[Tensor, "rows width"], teacher: Float[Tensor, "rows teacher_width"]
    ) -> tuple[Float[Tensor, "rows common"], Float[Tensor, "rows common"]]:
        """Both sides in one space."""
        return self.project(student), self.teacher(teacher)


class Whitening(nn.Module):
    """Vectors by their coordinates along the strongest directions, each of unit deviation."""

    mean: Tensor
    axes: Tensor

    def __init__(self, vectors: Float[Tensor, "rows width"], count: int) -> None:
        super().__init__()
        found = principal(vectors, count)
        real = found.deviations > _FLAT * found.deviations.max()
        axes = found.axes[:, real] / found.deviations[real]
        self.register_buffer("mean", found.mean.to(vectors.dtype))
        self.register_buffer("axes", axes.to(vectors.dtype))

    def forward(self, vectors: Float[Tensor, "rows width"]) -> Float[Tensor, "rows count"]:
        """The coordinates."""
        return (vectors - self.mean) @ self.axes


class Standardising(nn.Module):
    """Vectors minus their mean, over one factor: what is left has a mean square of 1 an entry.

    A squared distance to such vectors is a share: 1 is what always answering with the mean gives.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, vectors: Float[Tensor, "rows width"]) -> None:
        super().__init__()
        mean = vectors.mean(0, dtype=torch.float64)
        deviation = (vectors - mean).square().mean().sqrt()
        scale = torch.where(deviation > 0, deviation, 1.0)
        self.register_buffer("mean", mean.to(vectors.dtype))
        self.register_buffer("scale", scale.to(vectors.dtype))

    def forward(self, vectors: Float[Tensor, "rows width"]) -> Float[Tensor, "rows width"]:
        """The vectors, centred and scaled."""
        return (vectors - self.mean) / self.scale
