"""Raw ids outside, dense ids inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Int32

from recdistill.errors import DataError, nearest

RawIds = Sequence[str] | Sequence[int] | pl.Series


class Vocabulary:
    """A one-to-one map between raw ids (all strings or all integers) and dense ids `0 … len - 1`.

    Dense ids follow the order of the raw ids (integers by value, strings by code point), so that
    breaking ties by dense id is breaking ties by raw id.
    """

    def __init__(self, ids: pl.Series) -> None:
        """`ids` must be sorted, unique and without nulls; use `from_column` for anything else."""
        self.ids = ids

    @classmethod
    def from_column(cls, column: pl.Series) -> Vocabulary:
        """The vocabulary of the distinct values of `column`."""
        return cls(column.drop_nulls().unique().sort())

    def __len__(self) -> int:
        return len(self.ids)

    def encode(self, raw: RawIds) -> Int32[np.ndarray, " rows"]:
        """Dense ids of `raw`; -1 where unknown. Strings and integers convert into each other."""
        series = raw if isinstance(raw, pl.Series) else pl.Series(list(raw), strict=False)
        if len(series) == 0 or len(self.ids) == 0:
            return np.full(len(series), -1, dtype=np.int32)
        cast = series.cast(self.ids.dtype, strict=False)
        place = np.minimum(self.ids.search_sorted(cast).to_numpy(), len(self.ids) - 1)
        known = (self.ids.gather(place) == cast).fill_null(False).to_numpy()
        return np.where(known, place, -1).astype(np.int32)

    def require(self, raw: RawIds, what: str = "item") -> Int32[np.ndarray, " rows"]:
        """Dense ids of `raw`.

        Raises:
            DataError: an id is unknown; the message names it and the nearest known one.
        """
        dense = self.encode(raw)
        unknown = np.flatnonzero(dense < 0)
        if len(unknown):
            name = str(list(raw)[int(unknown[0])])
            sample = [str(value) for value in self.ids.head(50_000)]
            raise DataError(
                f"Unknown {what} id '{name}' ({len(unknown)} of {len(dense)} ids are unknown).",
                nearest(name, sample).split(" Valid:")[0] if len(sample) else "",
            )
        return dense

    def decode(self, dense: Int32[np.ndarray, " rows"]) -> pl.Series:
        """Raw ids of dense ids."""
        return self.ids.gather(dense)
