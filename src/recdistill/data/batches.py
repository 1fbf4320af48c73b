"""Packed batches: histories laid end to end, so that no position is spent on padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from typing import Literal

import numpy as np
from jaxtyping import Int64

from recdistill.data.sequences import Sequences


@dataclass(frozen=True)
class Batch:
    """Histories of a step, end to end, ordered by length.

    Attributes:
        items: dense item ids.
        places: 0-based place of each item in its history (oldest = 0).
        targets: the item that follows each position; -1 where none is known.
        events: the training event each position is (row of `Dataset.contexts()`); -1 outside
            training.
        runs: `(first position, rows, length)` of each run of histories of equal length; attention
            works on a run as the dense view `[rows, length]`, which costs no copy and no padding.
    """

    items: Int64[np.ndarray, " positions"]
    places: Int64[np.ndarray, " positions"]
    targets: Int64[np.ndarray, " positions"]
    events: Int64[np.ndarray, " positions"]
    runs: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def ends(self) -> Int64[np.ndarray, " rows"]:
        """The last position of every history, in batch order."""
        return np.concatenate(
            [first + length * np.arange(1, rows + 1) - 1 for first, rows, length in self.runs]
        ).astype(np.int64)


def pack(histories: Sequences) -> tuple[Batch, Int64[np.ndarray, " rows"]]:
    """Pack histories for inference.

    Returns:
        The batch (no targets), and the order in which it holds the rows: `order[b]` is the row of
        `histories` that the batch's history `b` is. Empty histories are refused by the caller.
    """
    order = np.argsort(histories.lengths, kind="stable")
    ordered = histories.take(order)
    places = ordered.places()
    unknown = np.full(len(places), -1, dtype=np.int64)
    return _batch(ordered, places, unknown, unknown), order


Windows = Literal["all", "last"]
"""Which parts of a long history are learned from."""


@dataclass(frozen=True)
class TrainingBatches:
    """Batches as a pure function of seed, epoch and step, so that training can resume anywhere.

    A user's training items are inputs, each with the item after it as its target. Histories longer
    than `history` are cut into windows from their end that do not overlap, so that in an epoch
    every event with a predecessor is a target exactly once.

    Attributes:
        histories: every user's training items.
        history: how many items a student sees at once.
        batch_size: windows a step.
        seed: decides the order.
        windows: `last` keeps only the window at the end of each history.
        unlabelled: whether the last item of a history is an input too, with no target: what comes next is known to
            nobody who learns.
        views: how a student sees a batch this time: called with it and with draws that the seed and the
            step decide, one after another.
    """

    histories: Sequences
    history: int
    batch_size: int
    seed: int
    windows: Windows = "all"
    views: tuple[Callable[[Batch, np.random.Generator], Batch], ...] = ()
    unlabelled: bool = False

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of `epoch`; any step can be had alone with `batch(epoch, step)`."""
        for step in range(self.steps):
            yield self.batch(epoch, step)

    @property
    def steps(self) -> int:
        """Steps an epoch; the last one may hold fewer windows."""
        return -(-len(self.inputs) // self.batch_size)

    def batch(self, epoch: int, step: int) -> Batch:
        """Batch `step` of `epoch`.

        Raises:
            IndexError: there is no such step.
        """
        if not 0 <= step < self.steps:
            raise IndexError(f"step {step} of {self.steps}")
        chosen = self._order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        order = chosen[np.argsort(self.inputs.lengths[chosen], kind="stable")]
        rows = self.inputs.take(order)
        events = rows.places()
        targets = self._followers[events]
        batch = _batch(rows, events, targets, events)
        draw = np.random.default_rng([self.seed, epoch, step])
        return reduce(lambda seen, view: view(seen, draw), self.views, batch)

    @cached_property
    def inputs(self) -> Sequences:
        """The inputs of every window, in user order."""
        # The last item is a target only, unless what nobody knows the end of is wanted too.
        stops = np.maximum(self.histories.stops - (not self.unlabelled), self.histories.starts)
        total = stops - self.histories.starts
        counts = -(-total // self.history)
        if self.windows == "last":
            counts = np.minimum(counts, 1)
        user = np.repeat(np.arange(len(counts)), counts)
        from_end = np.arange(len(user)) - np.repeat(np.cumsum(counts) - counts, counts)
        ends = stops[user] - from_end * self.history
        starts = np.maximum(self.histories.starts[user], ends - self.history)
        return Sequences(self.histories.values, starts, ends)

    @cached_property
    def _followers(self) -> Int64[np.ndarray, " events"]:
        """The item after each training event; -1 after the last of a history."""
        followers = np.roll(self.histories.values, -1).astype(np.int64)
        followers[self.histories.stops[self.histories.lengths > 0] - 1] = -1
        return followers

    @cached_property
    def _order(self) -> Callable[[int], Int64[np.ndarray, " windows"]]:
        return lru_cache(maxsize=2)(self._permutation)

    def _permutation(self, epoch: int) -> Int64[np.ndarray, " windows"]:
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.inputs))


def packed_rows(
    lengths: Int64[np.ndarray, " rows"],
    items: Int64[np.ndarray, " positions"],
    targets: Int64[np.ndarray, " positions"],
    events: Int64[np.ndarray, " positions"],
) -> Batch:
    """Pack histories that lie end to end in any order of their `lengths` (none of them 0)."""
    order = np.argsort(lengths, kind="stable")
    offsets = np.append(0, np.cumsum(lengths))
    rows = Sequences.from_offsets(items.astype(np.int32), offsets).take(order)
    places = rows.places()
    return _batch(rows, places, targets[places], events[places])


def _batch(
    ordered: Sequences,
    values: Int64[np.ndarray, " positions"],
    targets: Int64[np.ndarray, " positions"],
    events: Int64[np.ndarray, " positions"],
) -> Batch:
    lengths = ordered.lengths
    sizes, counts = np.unique(lengths, return_counts=True)
    firsts = np.concatenate([[0], np.cumsum(sizes * counts)[:-1]]) if len(sizes) else []
    runs = tuple(
        (int(first), int(rows), int(length))
        for first, rows, length in zip(firsts, counts, sizes, strict=True)
    )
    ends = np.cumsum(lengths)
    places = np.arange(len(values), dtype=np.int64) - np.repeat(ends - lengths, lengths)
    return Batch(ordered.values[values].astype(np.int64), places, targets, events, runs)
