"""A table and a scorer that put further items behind those of a bundle, without touching these."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Int64

from recdistill.bundle.scoring.base import Best, Scorer, best, scores
from recdistill.bundle.table import Table
from recdistill.data.sequences import Sequences


def _none() -> Float32[np.ndarray, "late width"]:
    return np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class LongerTable(Table):
    """The vectors of a bundle, and `more` behind them."""

    more: Float32[np.ndarray, "late width"] = field(default_factory=_none)

    def __len__(self) -> int:
        return len(self.values) + len(self.more)

    def rows(self, items: Int64[np.ndarray, " chosen"]) -> Float32[np.ndarray, "chosen width"]:
        """The vectors of some items."""
        own = len(self.values)
        found, late = super().rows(np.minimum(items, own - 1)), items >= own
        found[late] = self.more[items[late] - own]
        return found


@dataclass(frozen=True)
class LongerScorer:
    """What a bundle's scorer finds, without `hidden`, beside exact scores of the items behind (`Scorer`)."""

    base: Scorer
    table: LongerTable
    hidden: Int64[np.ndarray, " hidden"]
    """Ascending."""

    def top(
        self,
        states: Float32[np.ndarray, "rows width"],
        k: int,
        barred: Sequences | None = None,
        allowed: Int64[np.ndarray, " chosen"] | None = None,
    ) -> Best:
        """See `Scorer`."""
        own = len(self.table.values)
        never = [
            self.hidden if barred is None else np.concatenate((barred[row], self.hidden))
            for row in range(len(states))
        ]
        items, values = self._of_bundle(states, k, never, allowed)
        late = np.arange(own, len(self.table)) if allowed is None else allowed[allowed >= own]
        for row, state in enumerate(states.astype(np.float64)):
            given = np.setdiff1d(late, never[row]).astype(np.int64)
            found = scores(self.table.rows, given, state)
            both = np.concatenate((items[row], given)), np.concatenate((values[row], found))
            some = both[0] >= 0
            items[row], values[row] = best(both[0][some], both[1][some], k)
        return items, values

    def _of_bundle(
        self,
        states: Float32[np.ndarray, "rows width"],
        k: int,
        never: list[np.ndarray],
        allowed: Int64[np.ndarray, " chosen"] | None,
    ) -> Best:
        own = len(self.table.values)
        inside = None if allowed is None else allowed[allowed < own]
        if inside is not None and not len(inside):
            return np.full((len(states), k), -1), np.full((len(states), k), -np.inf, np.float32)
        barred = Sequences.from_lists([row[row < own].tolist() for row in never])
        return self.base.top(states, k, barred, inside)
