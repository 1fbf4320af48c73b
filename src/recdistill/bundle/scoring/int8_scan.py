"""A scan in whole numbers: the table as int8, a quarter of the bytes, and products that are exact in int32.

With q = α·q̂ + δq and t = β·t̂ + δt (q̂, t̂ whole numbers), q·t − αβ·q̂·t̂ = δq·t + αq̂·δt, so by Cauchy and Schwarz
it is at most ‖δq‖·‖t‖ + ‖αq̂‖·‖δt‖. The norms of t and δt are known beforehand, those of q when it is asked about.

Items of similar largest entries lie in one group and share its β: as good as a scale an item, and it need
not be multiplied by until little is left.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float32, Float64, Int8, Int32, Int64

from recdistill.bundle.scoring.base import Vectors
from recdistill.bundle.scoring.product import IntegerProduct
from recdistill.bundle.scoring.shortlist import Scanned, ScanScorer, depth_for

_LARGEST: Final = 127
_ROUNDING: Final = 1e-9
"""What sums in doubles may lose, of ‖q‖·‖t‖: more than they do at any width below a million."""
_ROWS_AT_ONCE: Final = 1 << 12


class Int8Scan:
    """Products of int8 (`shortlist.Scan`)."""

    nothing = float(np.iinfo(np.int32).min)

    def __init__(self, vectors: Vectors, items: int, threads: int = 1) -> None:
        """`vectors` of all `items`, finite, are read once and not kept."""
        self.items, self._depth = items, depth_for(items)
        self._groups = -(-items // self._depth)
        largest, norms = _sizes(vectors, items)
        self._lay_out(largest)
        by_group = np.zeros((self._groups, self._depth))
        by_group.ravel()[:items] = largest[self._order]
        self._scale = np.where(by_group.max(axis=1) > 0, by_group.max(axis=1) / _LARGEST, 1.0)
        table, lost = self._rounded(vectors)
        self._longest = self._by_group(norms)
        self._lost = self._by_group(lost)
        self._product = IntegerProduct(table, threads)

    def _lay_out(self, largest: Float64[np.ndarray, " items"]) -> None:
        """Item number `n` in order of size lies in group `n // depth`, `n % depth` down."""
        self._order = np.argsort(-largest, kind="stable")
        group, down = np.divmod(np.arange(self.items), self._depth)
        places = down * self._groups + group
        self.place = np.empty(self.items, dtype=np.int64)
        self.place[self._order] = places
        self.item = np.full(self._depth * self._groups, -1)
        self.item[places] = self._order
        self._beyond = np.flatnonzero(self.item < 0)

    def _by_group(self, values: Float64[np.ndarray, " items"]) -> Float64[np.ndarray, " groups"]:
        """The largest of each group."""
        laid = np.zeros(self._depth * self._groups)
        laid[self.place] = values
        return laid.reshape(self._depth, self._groups).max(axis=0)

    def _rounded(
        self, vectors: Vectors
    ) -> tuple[Int8[np.ndarray, "places width"], Float64[np.ndarray, " items"]]:
        """The table in whole numbers, as it lies, and what rounding took of each item: ‖δt‖."""
        width = vectors(np.zeros(1, np.int64)).shape[1]
        table = np.zeros((len(self.item), width), dtype=np.int8)
        lost = np.empty(self.items)
        for some in _slices(self.items):
            exact = vectors(some).astype(np.float64)
            scale = self._scale[self.place[some] % self._groups, None]
            whole = np.rint(exact / scale)
            table[self.place[some]] = whole
            lost[some] = np.linalg.norm(exact - whole * scale, axis=1)
        return table, lost

    def begin(self, states: Float32[np.ndarray, "rows width"]) -> Int32[np.ndarray, "rows places"]:
        """Whole products q̂·t̂, and the least number beyond the catalogue."""
        values = self._product(whole(states.astype(np.float64))[0])
        values[:, self._beyond] = np.iinfo(np.int32).min
        return values

    def told(
        self, values: Int32[np.ndarray, " places"], state: Float64[np.ndarray, " width"]
    ) -> Scanned:
        """Scores with the bound of rounding both sides."""
        rounded, scale = whole(state[None])
        near = scale[0] * rounded[0]
        off = np.linalg.norm(state - near) + _ROUNDING * np.linalg.norm(state)
        error = off * self._longest + (1 + _ROUNDING) * np.linalg.norm(near) * self._lost
        return Scanned(values.reshape(self._depth, -1), scale[0] * self._scale, error)


def whole(
    states: Float64[np.ndarray, "rows width"],
) -> tuple[Int64[np.ndarray, "rows width"], Float64[np.ndarray, " rows"]]:
    """States in whole numbers from -127 to 127, and the scale of each."""
    largest = np.abs(states).max(axis=1, initial=0.0)
    scale = np.where(largest > 0, largest / _LARGEST, 1.0)
    return np.rint(states / scale[:, None]).astype(np.int64), scale


def int8_scan(vectors: Vectors, items: int, threads: int = 1) -> ScanScorer:
    """A scorer that looks at every item in int8, and at few again.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
    """
    return ScanScorer(Int8Scan(vectors, items, threads), vectors)


def _sizes(
    vectors: Vectors, items: int
) -> tuple[Float64[np.ndarray, " items"], Float64[np.ndarray, " items"]]:
    """Each item's largest entry and its norm."""
    largest, norms = np.empty(items), np.empty(items)
    for some in _slices(items):
        rows = vectors(some).astype(np.float64)
        largest[some], norms[some] = np.abs(rows).max(axis=1), np.linalg.norm(rows, axis=1)
    return largest, norms


def _slices(items: int) -> list[Int64[np.ndarray, " slice"]]:
    return [
        np.arange(first, min(first + _ROWS_AT_ONCE, items))
        for first in range(0, items, _ROWS_AT_ONCE)
    ]
