"""What everybody takes: the list that is left where the model has nothing to say."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

from recdistill.data.columns import EVENTS


class Ranked(NamedTuple):
    """The best dense items of a request and their scores."""

    items: list[int]
    scores: list[float]


class Popular:
    """Items by how many events they have in training; a score is an item's share of all events."""

    def __init__(self, counts: Int64[np.ndarray, " items"]) -> None:
        self._order = np.argsort(-counts, kind="stable")
        total = max(int(counts.sum()), 1)
        self._shares: Float32[np.ndarray, " items"] = (counts / total).astype(np.float32)

    @classmethod
    def of(cls, items: pl.DataFrame) -> Popular | None:
        """By the catalogue of a bundle; `None` where that does not count events."""
        if EVENTS not in items.columns or not items[EVENTS].dtype.is_integer():
            return None
        return cls(items[EVENTS].fill_null(0).to_numpy().astype(np.int64))

    def best(
        self,
        k: int,
        barred: Collection[int],
        allowed: Int64[np.ndarray, " candidates"] | None = None,
    ) -> Ranked:
        """The `k` most popular items that are `allowed` (`None` for all) and not `barred`."""
        order = self._order
        if allowed is not None:
            inside = allowed[allowed < len(order)]
            order = inside[np.argsort(-self._shares[inside], kind="stable")]
        given = list[int]()
        for item in order[: k + len(barred)].tolist():
            if item not in barred:
                given.append(item)
        items = given[:k]
        return Ranked(items, self._shares[items].tolist())
