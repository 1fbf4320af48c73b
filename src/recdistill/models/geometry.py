"""How vectors lie to one another; shared by everything that compares vectors.

What has no direction (a vector of length 0, two vectors in one place) counts as 0 and passes no
gradient, where the textbook formula would divide by 0.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Distance = Callable[
    [Float[Tensor, "rows width"], Float[Tensor, "rows width"]], Float[Tensor, " rows"]
]


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


def unit(vectors: Float[Tensor, "rows width"]) -> Float[Tensor, "rows width"]:
    """Vectors of length 1 in the same directions; a vector of length 0 stays 0."""
    return vectors * inverse(root(vectors.square().sum(-1, keepdim=True)))


def state_distance(
    student: Float[Tensor, "positions width"],
    teacher: Float[Tensor, "positions width"],
    *,
    normalise: bool,
) -> Float[Tensor, " positions"]:
    """How far hidden states lie apart: ‖u/‖u‖ − v/‖v‖‖², in [0, 4] (PKD: Sun et al. 2019, section 3.2), or the mean
    squared difference (FitNets: Romero et al. 2015, eq. 3)."""
    if normalise:
        return (unit(student) - unit(teacher)).square().sum(-1)
    return squared_distance(student, teacher)


def cosines(
    left: Float[Tensor, "rows width"], right: Float[Tensor, "columns width"]
) -> Float[Tensor, "rows columns"]:
    """The cosine of every left with every right vector; 0 where either has length 0."""
    return unit(left) @ unit(right).T


def root(squares: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """√x, and 0 without a gradient where x is not positive, or so little that 1 / x overflows."""
    there = squares > torch.finfo(squares.dtype).tiny ** 0.75
    return torch.where(there, squares, 1.0).sqrt() * there


def inverse(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """1 / x, and 0 without a gradient where x is 0."""
    there = values != 0
    return torch.where(there, values, 1.0).reciprocal() * there


def others(vectors: Float[Tensor, "rows width"]) -> Bool[Tensor, "rows rows"]:
    """Every pair but those of a row with itself."""
    return ~torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)


def mean_over(
    values: Float[Tensor, "rows *shape"], counted: Bool[Tensor, "rows *shape"]
) -> Float[Tensor, " rows"]:
    """Each row's mean over what is counted; 0 where nothing is."""
    total = torch.where(counted, values, 0.0).flatten(1).sum(1)
    return total / counted.flatten(1).sum(1).clamp_min(1)
