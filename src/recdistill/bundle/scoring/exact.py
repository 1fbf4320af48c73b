"""The plain way: a float32 product with the whole table, and what float32 leaves open scored again."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float32, Float64

from recdistill.bundle.scoring.shortlist import Scanned, ScanScorer, depth_for

_UNIT: Final = 2.0**-24


class Float32Scan:
    """Products in float32, whatever order their sums are taken in (`shortlist.Scan`).

    n products and sums of float32 are off by at most γ = n·u / (1 − n·u) times Σ|qᵢ·tᵢ| ≤ ‖q‖·‖t‖, u = 2⁻²⁴
    (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), and by what underflow takes.
    """

    nothing = -np.inf

    def __init__(self, table: Float32[np.ndarray, "items width"]) -> None:
        """`table`, which is kept and not copied."""
        self.items, width = table.shape
        self._table, self._depth = table, depth_for(self.items)
        groups = -(-self.items // self._depth)
        self.place = np.arange(self.items)
        self.item = np.arange(self._depth * groups)
        norms = np.zeros(self._depth * groups)
        norms[: self.items] = np.sqrt(np.einsum("iw,iw->i", table, table, dtype=np.float64))
        self._longest = norms.reshape(self._depth, groups).max(axis=0)
        self._gamma = 2 * (width + 1) * _UNIT
        self._underflow = width * 2.0**-148

    def begin(
        self, states: Float32[np.ndarray, "rows width"]
    ) -> Float32[np.ndarray, "rows places"]:
        """Scores, and `-inf` beyond the catalogue."""
        values = np.full((len(states), len(self.item)), -np.inf, dtype=np.float32)
        for row, state in enumerate(states):
            np.matmul(self._table, state, out=values[row, : self.items])
        return values

    def told(
        self, values: Float32[np.ndarray, " places"], state: Float64[np.ndarray, " width"]
    ) -> Scanned:
        """Scores with the bound of float32 sums."""
        error = self._gamma * np.linalg.norm(state) * self._longest + self._underflow
        return Scanned(values.reshape(self._depth, -1), np.ones(len(error)), error)


def exact(table: Float32[np.ndarray, "items width"]) -> ScanScorer:
    """A scorer that looks at every item in float32."""
    return ScanScorer(Float32Scan(table), table.__getitem__)
