"""A quick answer that may miss some: a scan of codes gives a few hundred items, and exact scores order these."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float32, Int64

from recdistill.bundle.scoring.base import (
    Best,
    Scorer,
    Vectors,
    best,
    require_finite,
    scores,
)
from recdistill.bundle.scoring.codes import Codes, library
from recdistill.data.sequences import Sequences

LISTED: Final = 20
"""The length of the lists for which a depth is measured; of longer ones in proportion more is scored again."""
_MOST: Final = 16
"""Where more than one in so many items would be scored again, all are looked at."""


class QuickScorer:
    """A scorer (`base.Scorer`) that may miss some of the best; what it gives has exact scores, best first.

    Of what is barred as many more are fetched, so that lists are as good and as long as without. Where only some items
    are allowed, or a list is long, an exact scorer answers.
    """

    def __init__(self, codes: Codes, depth: int, vectors: Vectors, exact: Scorer) -> None:
        """`depth` items of a list of up to `LISTED` are scored by their `vectors`.

        Raises:
            MissingExtraError: faiss is not installed.
        """
        self._index, self._depth = codes.searchable(), depth
        self._vectors, self._exact, self._most = vectors, exact, len(codes) // _MOST

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
        more = 0 if barred is None else int(barred.lengths.max(initial=0))
        fetched = -(-self._depth * max(k, LISTED) // LISTED) + more
        if allowed is not None or fetched > self._most:
            return self._exact.top(states, k, barred, allowed)
        require_finite(states)
        items = np.empty((len(states), k), dtype=np.int64)
        values = np.empty((len(states), k), dtype=np.float32)
        for row, found in enumerate(self._fetched(states, fetched)):
            given = found[found >= 0]
            if barred is not None:
                given = np.setdiff1d(given, barred[row])
            exact = scores(self._vectors, given, states[row].astype(np.float64))
            items[row], values[row] = best(given, exact, k)
        return items, values

    def _fetched(
        self, states: Float32[np.ndarray, "rows width"], number: int
    ) -> Int64[np.ndarray, "rows number"]:
        """What the codes say is best, in no order; -1 where there is no more."""
        library().omp_set_num_threads(1)  # of this thread: servers have as many as they want
        return self._index.search(np.ascontiguousarray(states), number)[1]
