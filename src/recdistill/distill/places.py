"""What passes between a batch and the terms of its loss: places, signals and the knobs' positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float, Int64
from torch import Tensor

Knobs = Mapping[str, Any]
"""The present value of each schedule of an objective or a filter, by field name: a number, or a tensor where the
number is learned."""

Signal = Mapping[str, Tensor]
"""What a teacher said, field by field; every field's first dimension is the position (or item)."""


@dataclass(frozen=True)
class Places:
    """What is known of some positions beside what a teacher says.

    Attributes:
        targets: the next item; an arbitrary item where it is unknown.
        popularity: how often each item of the catalogue occurs in training.
        events: which training event each position is; -1 for none.
        ratings: what the next item was given; NaN where that is unknown.
    """

    targets: Int64[Tensor, " positions"]
    popularity: Float[Tensor, " items"]
    events: Int64[Tensor, " positions"]
    ratings: Float[Tensor, " positions"] | None = None

    def __getitem__(self, part: slice) -> Places:
        ratings = None if self.ratings is None else self.ratings[part]
        return Places(self.targets[part], self.popularity, self.events[part], ratings)
