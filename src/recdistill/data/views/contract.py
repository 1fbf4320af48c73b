"""What a view is: the same histories, seen a little differently, by chance that a seed decides."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from recdistill.data.batches import Batch, packed_rows
from recdistill.settings import Settings


class View(Settings):
    """Changes what a student sees of a batch; what it must answer stays, and so does what a teacher said of
    the history as it was.

    A view is a pure function of the batch and the draws, so that an interrupted training sees the same
    again. Positions whose answer the view gives away lose it (target and event become -1).
    """

    @abstractmethod
    def __call__(self, batch: Batch, draw: np.random.Generator) -> Batch:
        """The batch as it is seen this time."""


@dataclass(frozen=True)
class Rows:
    """Where the histories of a batch lie.

    Attributes:
        lengths: of each history, in batch order.
        firsts: the position of its first item.
    """

    lengths: Int64[np.ndarray, " rows"]
    firsts: Int64[np.ndarray, " rows"]

    @classmethod
    def of(cls, batch: Batch) -> Rows:
        """The rows of a batch."""
        runs = np.array(batch.runs, dtype=np.int64).reshape(-1, 3)
        lengths = np.repeat(runs[:, 2], runs[:, 1])
        return cls(lengths, np.cumsum(lengths) - lengths)

    @property
    def of_positions(self) -> Int64[np.ndarray, " positions"]:
        """The row that each position belongs to."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def spans(
        self, share: float, draw: np.random.Generator
    ) -> tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " rows"]]:
        """A random stretch of each row: `share` of its length (one position at least), from first to stop."""
        sizes = np.maximum(1, np.round(share * self.lengths).astype(np.int64))
        firsts = self.firsts + draw.integers(0, self.lengths - sizes, endpoint=True)
        return firsts, firsts + sizes


def kept(batch: Batch, keep: Bool[np.ndarray, " positions"]) -> Batch:
    """Only the positions of `keep`, packed anew; histories of which nothing is kept are gone."""
    lengths = np.bincount(Rows.of(batch).of_positions[keep], minlength=1)
    fields = (batch.items[keep], batch.targets[keep], batch.events[keep])
    return packed_rows(lengths[lengths > 0].astype(np.int64), *fields)
