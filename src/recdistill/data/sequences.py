"""Ragged rows without padding: the currency in which histories and targets travel.

Legend for dimensions, used everywhere: `rows` (users, contexts or cases), `values` (items laid end
to end), `positions` (places inside packed histories), `items` (the catalogue), `width` (of a
vector), `k` (of a list).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64


@dataclass(frozen=True)
class Sequences:
    """Rows of dense item ids; row `r` is `values[starts[r]:stops[r]]`.

    Rows are slices of one shared array, so that windows, tails and prefixes of a history cost no
    copy, and a thousand prefixes of one history share its memory.
    """

    values: Int32[np.ndarray, " values"]
    starts: Int64[np.ndarray, " rows"]
    stops: Int64[np.ndarray, " rows"]

    @classmethod
    def from_offsets(
        cls, values: Int32[np.ndarray, " values"], offsets: Int64[np.ndarray, " rows_plus_1"]
    ) -> Sequences:
        """Rows that lie end to end: row `r` is `values[offsets[r]:offsets[r + 1]]`."""
        return cls(values, offsets[:-1], offsets[1:])

    @classmethod
    def from_lists(cls, rows: Iterable[Sequence[int]]) -> Sequences:
        """Rows given as lists of dense item ids."""
        lists = [np.asarray(row, dtype=np.int32) for row in rows]
        offsets = np.zeros(len(lists) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in lists], out=offsets[1:])
        values = np.concatenate(lists) if lists else np.empty(0, dtype=np.int32)
        return cls.from_offsets(values, offsets)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> Int32[np.ndarray, " length"]:
        return self.values[self.starts[row] : self.stops[row]]

    @property
    def lengths(self) -> Int64[np.ndarray, " rows"]:
        """The number of items in each row."""
        return self.stops - self.starts

    def take(self, rows: Int64[np.ndarray, " chosen"] | slice) -> Sequences:
        """The chosen rows, in the order given."""
        return Sequences(self.values, self.starts[rows], self.stops[rows])

    def tail(self, length: int) -> Sequences:
        """Each row cut to its last `length` items."""
        return Sequences(self.values, np.maximum(self.starts, self.stops - length), self.stops)

    def snapped(self, length: int) -> Sequences:
        """Each row cut to between its last `3/4 · length` and its last `length` items.

        Where a cut row begins moves on by `length / 4` items at a time, so that neighbouring prefixes of a long
        history begin at the same place and a causal model can read them all off one pass. The cut depends on
        the row's own length and on nothing else.
        """
        step = max(length // 4, 1)
        surplus = np.maximum(self.lengths - length, 0)
        return Sequences(self.values, self.starts + -(-surplus // step) * step, self.stops)

    def places(self) -> Int64[np.ndarray, " total"]:
        """For every item of every row, laid end to end, its index into `values`."""
        lengths = self.lengths
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        shift = np.repeat(self.starts - (ends - lengths), lengths)
        return np.arange(total, dtype=np.int64) + shift

    def packed(self) -> Sequences:
        """The same rows laid end to end in an array of their own."""
        offsets = np.zeros(len(self) + 1, dtype=np.int64)
        np.cumsum(self.lengths, out=offsets[1:])
        return Sequences.from_offsets(self.values[self.places()], offsets)


def window_of(history: int) -> int:
    """The least length at which `Sequences.snapped` leaves the latest `history` items of every row alone."""
    return -(-4 * history // 3)
