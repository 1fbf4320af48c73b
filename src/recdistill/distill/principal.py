"""Principal components, exact and with a sign that does not depend on the machine."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Principal(NamedTuple):
    """The directions in which vectors vary most.

    Attributes:
        mean: of the vectors.
        axes: orthonormal columns, the strongest first.
        deviations: the standard deviation along each axis.
        explained: the share of the total variance that these axes hold, in [0, 1].
    """

    mean: Float[Tensor, " width"]
    axes: Float[Tensor, "width count"]
    deviations: Float[Tensor, " count"]
    explained: float


def principal(vectors: Float[Tensor, "rows width"], count: int) -> Principal:
    """The first `count` principal components of `vectors` (fewer where rows or width are fewer).

    Exact: from the eigenvectors of the covariance in float64, which costs one pass over the rows
    however many they are. The sign of an axis makes its entry of largest magnitude positive, so
    that equal vectors give equal components everywhere.
    """
    count = min(count, *vectors.shape)
    mean = vectors.mean(0, dtype=torch.float64)
    shifted = vectors - mean
    variances, axes = torch.linalg.eigh(shifted.T @ shifted / max(len(vectors) - 1, 1))
    variances = variances.clamp_min(0).flip(0)
    total = variances.sum().item()
    explained = variances[:count].sum().item() / total if total > 0 else 0.0
    return Principal(mean, _signed(axes.flip(1)[:, :count]), variances[:count].sqrt(), explained)


def _signed(axes: Float[Tensor, "width count"]) -> Float[Tensor, "width count"]:
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    return axes * torch.where(largest < 0, -1.0, 1.0)
