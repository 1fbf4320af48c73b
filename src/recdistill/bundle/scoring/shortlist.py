"""An exact answer from an inexact scan: whatever may be among the best is scored again.

A scan gives each item an approximate score and a bound on how wrong it is. At least k items score no less than τ,
the k-th largest lower end of all; so no item whose upper end is below τ is among the k best. The rest is the
shortlist, and its scores in doubles decide: recall is 1 by proof, whatever the scan is made of.

Items lie in groups of `depth`, a column each, so that one maximum down the columns leaves little to look at: a
group's best stands for it in τ (k groups hold k items), and only groups whose upper end reaches τ are opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped

from recdistill.bundle.scoring.base import Best, Vectors, best, require_finite, scores
from recdistill.data.sequences import Sequences

DEPTH: Final = 64
"""Items of a group, at most."""
_SCORES_AT_ONCE: Final = 1 << 22
_FEW: Final = 4_096
"""So few items are scored one by one."""
_GROUPS_A_PLACE: Final = 8
"""With fewer groups than this for each place asked, their best say too little of τ, and items are looked at."""
_ROUNDED: Final = 2.0**-22
_TINY: Final = 2.0**-140


class Scanned(NamedTuple):
    """Approximate scores of one state: those of a group are `values · scale`, each at most `error` off."""

    values: Shaped[np.ndarray, "depth groups"]
    scale: Float64[np.ndarray, " groups"]
    error: Float64[np.ndarray, " groups"]


class Scan(Protocol):
    """Approximate scores of all items with a proven bound.

    Attributes:
        items: how many there are.
        nothing: the value that stands for no item at all, less than that of any.
        place: of each item, its index into the flattened `values`.
        item: of each such index, the item; what lies there beyond the catalogue is `nothing`.
    """

    items: int
    nothing: float
    place: Int64[np.ndarray, " items"]
    item: Int64[np.ndarray, " places"]

    def begin(self, states: Float32[np.ndarray, "rows width"]) -> Shaped[np.ndarray, "rows places"]:
        """The values of several states in one product."""
        ...

    def told(
        self, values: Shaped[np.ndarray, " places"], state: Float64[np.ndarray, " width"]
    ) -> Scanned:
        """What the values of one state mean."""
        ...


@dataclass(frozen=True)
class ScanScorer:
    """A scorer (`base.Scorer`): a scan makes the shortlist, `vectors` decide."""

    scan: Scan
    vectors: Vectors

    def top(
        self,
        states: Float32[np.ndarray, "rows width"],
        k: int,
        barred: Sequences | None = None,
        allowed: Int64[np.ndarray, " chosen"] | None = None,
    ) -> Best:
        """See `base.Scorer`.

        Raises:
            BundleError: a state is not finite.
        """
        require_finite(states)
        items = np.empty((len(states), k), dtype=np.int64)
        found = np.empty((len(states), k), dtype=np.float32)
        few = allowed is not None and len(allowed) <= _FEW
        step = len(states) if few else max(1, _SCORES_AT_ONCE // self.scan.items)
        for first in range(0, len(states), max(step, 1)):
            some = states[first : first + step]
            values = None if few else self.scan.begin(some)
            for row, state in enumerate(some.astype(np.float64), start=first):
                never = np.empty(0, np.int64) if barred is None else barred[row].astype(np.int64)
                if values is None:
                    assert allowed is not None
                    listed = np.setdiff1d(allowed, never, assume_unique=False)
                else:
                    listed = self._shortlist(values[row - first], state, k, never, allowed)
                items[row], found[row] = best(listed, scores(self.vectors, listed, state), k)
        return items, found

    def _shortlist(
        self,
        values: Shaped[np.ndarray, " places"],
        state: Float64[np.ndarray, " width"],
        k: int,
        never: Int64[np.ndarray, " never"],
        allowed: Int64[np.ndarray, " chosen"] | None,
    ) -> Int64[np.ndarray, " shortlist"]:
        """All that may be among the `k` best, and little more."""
        if allowed is not None:
            kept = np.full_like(values, self.scan.nothing)
            kept[self.scan.place[allowed]] = values[self.scan.place[allowed]]
            values = kept
        values[self.scan.place[never]] = self.scan.nothing
        return self.scan.item[_reaching(self.scan.told(values, state), k, self.scan.nothing)]


def _reaching(scanned: Scanned, k: int, nothing: float) -> Int64[np.ndarray, " shortlist"]:
    """Indices into the flattened values of all that may be among the `k` best."""
    values, scale, error = scanned
    tops = values.max(axis=0)
    middle = _meant(tops, scale, nothing)
    few = _GROUPS_A_PLACE * k > len(tops)
    least = _kth_largest((_meant(values, scale, nothing) if few else middle) - error, k)
    if np.isfinite(least):
        # What is a little less in doubles may be as much in float32, where the smaller id wins.
        least -= abs(least) * _ROUNDED + _TINY
    opened = np.flatnonzero((middle + error >= least) & (tops != nothing))
    inside = values[:, opened]
    down, across = np.nonzero(
        (inside * scale[opened] + error[opened] >= least) & (inside != nothing)
    )
    return down * values.shape[1] + opened[across]


def _meant(
    values: Shaped[np.ndarray, "*places"], scale: Float64[np.ndarray, " groups"], nothing: float
) -> Float64[np.ndarray, "*places"]:
    return np.where(values == nothing, -np.inf, values * scale)


def _kth_largest(values: Float64[np.ndarray, "*places"], k: int) -> float:
    if k > values.size:
        return -np.inf
    return float(np.partition(values, values.size - k, axis=None)[values.size - k])


def depth_for(items: int) -> int:
    """How deep groups are: no deeper than that there are many more of them than anyone asks places."""
    return int(np.clip(items // 1_024, 1, DEPTH))
