"""What a scorer is, and the one definition of a score.

Legend: `rows` (requests), `items` (the catalogue), `width`, `k`, `chosen` (some of the items).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from jaxtyping import Float32, Float64, Int64

from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError

Vectors = Callable[[Int64[np.ndarray, " chosen"]], Float32[np.ndarray, "chosen width"]]
"""Gives the vectors of items."""

Best = tuple[Int64[np.ndarray, "rows k"], Float32[np.ndarray, "rows k"]]
"""Items, best first, and their scores; -1 and `-inf` where nothing is left to give."""

_AT_ONCE = 1 << 15


class Scorer(Protocol):
    """The best items of states. Immutable, and safe to share between threads and forked processes.

    Every scorer but one that says otherwise gives the same answer to the bit: a score is the product in doubles,
    rounded to float32 once, and of equal scores the smaller id comes first.
    """

    def top(
        self,
        states: Float32[np.ndarray, "rows width"],
        k: int,
        barred: Sequences | None = None,
        allowed: Int64[np.ndarray, " chosen"] | None = None,
    ) -> Best:
        """The `k` best items of each state.

        Args:
            states: finite.
            k: at least 1.
            barred: a row for each state: what it must not be given, in any order, repeated or not.
            allowed: the only items to give, ascending and each once; `None` for all.
        """
        ...


def require_finite(states: Float32[np.ndarray, "rows width"]) -> None:
    """What scorers ask of states.

    Raises:
        BundleError: one is not finite.
    """
    if not np.isfinite(states).all():
        raise BundleError("The model answered with what is not a finite number.")


def scores(
    vectors: Vectors, items: Int64[np.ndarray, " chosen"], state: Float64[np.ndarray, " width"]
) -> Float32[np.ndarray, " chosen"]:
    """Each item's product with a state, summed in doubles and rounded once."""
    found = np.empty(len(items), dtype=np.float32)
    for first in range(0, len(items), _AT_ONCE):
        rows = vectors(items[first : first + _AT_ONCE]).astype(np.float64)
        # A sum along a row depends on nothing but that row; a BLAS product may depend on where the row lies,
        # and equal vectors must have equal scores.
        found[first : first + len(rows)] = (rows * state).sum(axis=1)
    return found


def best(
    items: Int64[np.ndarray, " chosen"], values: Float32[np.ndarray, " chosen"], k: int
) -> tuple[Int64[np.ndarray, " k"], Float32[np.ndarray, " k"]]:
    """The `k` items of the largest values, filled up with -1; `items` in any order."""
    listed, listed_values = np.full(k, -1), np.full(k, -np.inf, dtype=np.float32)
    order = np.lexsort((items, -values))[:k]
    listed[: len(order)], listed_values[: len(order)] = items[order], values[order]
    return listed, listed_values
