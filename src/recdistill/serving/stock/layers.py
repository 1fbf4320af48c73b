"""A table and a scorer that put further items behind those of a bundle, without touching these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from jaxtyping import Float32, Int64

from recdistill.bundle.scoring.base import Best, Scorer, best
from recdistill.bundle.scoring.choice import scorer_for
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
    """What a bundle's scorer finds, without `hidden`, beside what one of the items behind finds (`Scorer`)."""

    base: Scorer
    late: Scorer | None
    """Of the items behind; `None` where there are none."""
    own: int
    """How many items the bundle has."""
    hidden: Int64[np.ndarray, " hidden"]
    """Ascending."""

    @classmethod
    def over(cls, base: Scorer, table: LongerTable, hidden: Int64[np.ndarray, " hidden"]) -> Self:
        """A bundle's scorer and the items behind it."""
        late = scorer_for(Table(table.more)) if len(table.more) else None
        return cls(base, late, len(table.values), hidden)

    def top(
        self,
        states: Float32[np.ndarray, "rows width"],
        k: int,
        barred: Sequences | None = None,
        allowed: Int64[np.ndarray, " chosen"] | None = None,
    ) -> Best:
        """See `Scorer`."""
        rows, none = range(len(states)), np.empty(0, np.int32)
        never = [none if barred is None else barred[row] for row in rows]
        inside = None if allowed is None else allowed[allowed < self.own]
        off = [np.concatenate((row[row < self.own], self.hidden)) for row in never]
        items, values = _top(self.base, states, k, off, inside)
        if self.late is None:
            return items, values
        behind = None if allowed is None else allowed[allowed >= self.own] - self.own
        off = [row[row >= self.own] - self.own for row in never]
        more, found = _top(self.late, states, k, off, behind)
        for row in rows:
            given = np.concatenate((items[row], np.where(more[row] < 0, -1, more[row] + self.own)))
            some = given >= 0
            both = np.concatenate((values[row], found[row]))
            items[row], values[row] = best(given[some], both[some], k)
        return items, values


def _top(
    scorer: Scorer,
    states: Float32[np.ndarray, "rows width"],
    k: int,
    never: list[np.ndarray],
    allowed: Int64[np.ndarray, " chosen"] | None,
) -> Best:
    if allowed is not None and not len(allowed):
        return np.full((len(states), k), -1), np.full((len(states), k), -np.inf, np.float32)
    barred = Sequences.from_lists([row.tolist() for row in never])
    return scorer.top(states, k, barred, allowed)
