"""What an evaluation keeps of a model: where the right answers stood, and what it showed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

UNRANKED = np.iinfo(np.int32).max
"""The rank of a target that the model could not show at all (it was filtered as already seen)."""


@dataclass(frozen=True)
class Ranks:
    """The places of every case's targets, 1 = best.

    A rank is one more than the number of shown items that score higher, or equally with a smaller
    item id. Case `c` owns `ranks[offsets[c]:offsets[c + 1]]`.

    Attributes:
        ranks: of the targets, in the cases' order; `UNRANKED` for a target that was filtered.
        offsets: where each case begins.
        shown: how many items each case's full list holds (the catalogue without what was filtered).
    """

    ranks: Int32[np.ndarray, " targets"]
    offsets: Int64[np.ndarray, " cases_plus_1"]
    shown: Int32[np.ndarray, " cases"]

    def __len__(self) -> int:
        return len(self.shown)

    @cached_property
    def sizes(self) -> Int64[np.ndarray, " cases"]:
        """How many targets each case has."""
        return np.diff(self.offsets)

    @cached_property
    def owners(self) -> Int64[np.ndarray, " targets"]:
        """The case of each target."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.sizes)

    @cached_property
    def ascending(self) -> Float64[np.ndarray, " targets"]:
        """The ranks, the best first within each case; infinite where a target was filtered."""
        ordered = self.ranks[np.lexsort((self.ranks, self.owners))].astype(np.float64)
        ordered[ordered == UNRANKED] = np.inf
        return ordered

    @cached_property
    def found(self) -> Float64[np.ndarray, " targets"]:
        """For each entry of `ascending`, how many of its case's targets stand at it or above."""
        return 1.0 + np.arange(len(self.ranks)) - np.repeat(self.offsets[:-1], self.sizes)

    def total(self, values: Float64[np.ndarray, " targets"]) -> Float64[np.ndarray, " cases"]:
        """The sum of `values` within each case."""
        # Without any target bincount forgets that the weights are floats.
        return np.bincount(self.owners, weights=values, minlength=len(self)).astype(np.float64)

    def of(self, chosen: Bool[np.ndarray, " targets"]) -> tuple[Ranks, Int64[np.ndarray, " kept"]]:
        """The cases that have a chosen target, with those targets only, and which cases they are.

        The other targets stay in the lists, as items that do not count.
        """
        kept, sizes = np.unique(self.owners[chosen], return_counts=True)
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return Ranks(self.ranks[chosen], offsets, self.shown[kept]), kept


@dataclass(frozen=True)
class Ranking:
    """One model over all cases.

    Attributes:
        ranks: where the targets stood.
        top: the best items of each case, best first; -1 where a list is shorter.
        seconds: how long ranking took.
    """

    ranks: Ranks
    top: Int32[np.ndarray, "cases depth"]
    seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.ranks)
