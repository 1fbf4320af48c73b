"""Exact ranks by counting: no list of the catalogue is ever sorted.

A target's rank is one more than the number of items that beat it. The scores are made block by
block, small enough to stay in the processor's cache, and each block is only compared with the
targets' scores and counted; nothing of the size `rows × items` exists.

Ties are exact too: an item with an equal score beats the target if its id is smaller. In a block
that lies before the target's that means `>=`, which is `>` against the next smaller float; behind
it, `>`: one comparison, whatever the row. Only in the target's own block are equal scores looked at
one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from recdistill.data.sequences import Sequences
from recdistill.models.products import product

_DIAGONAL = 64
"""Rows of a product of which only the diagonal is wanted: more waste work, fewer waste calls."""

Block = tuple[int, Float32[Tensor, "rows block"]]
"""The first item of a block, and the scores of its items; whoever takes it may overwrite them."""


@dataclass(frozen=True)
class Hidden:
    """Items that a row's list does not show, as `(row, item)` pairs in item order, each once."""

    rows: Int64[Tensor, " pairs"]
    items: Int64[Tensor, " pairs"]
    ascending: Int64[np.ndarray, " pairs"]
    """`items` again, where looking one up costs no call to the device."""

    @classmethod
    def of(cls, seen: Sequences, among: Int64[Tensor, " some_items"] | None = None) -> Hidden:
        """The items of each row of `seen`, in any order, repeated or not.

        Only those `among` some ascending ids if given, numbered by their places there.
        """
        rows, items = _pairs(seen)
        if among is not None:
            rows, items = _renumber(rows, items, among.cpu().numpy())
        return cls(torch.from_numpy(rows), torch.from_numpy(items), items)

    def to(self, device: torch.device) -> Hidden:
        """The same where the scores are."""
        return Hidden(self.rows.to(device), self.items.to(device), self.ascending)

    def erase(self, start: int, scores: Float32[Tensor, "rows block"]) -> None:
        """Make the scores of hidden items of a block minus infinity; shown ones are finite."""
        low, high = np.searchsorted(self.ascending, [start, start + scores.shape[1]])
        places = self.rows[low:high] * scores.shape[1] + (self.items[low:high] - start)
        scores.view(-1).index_fill_(0, places, -torch.inf)


def flat(
    sequences: Sequences,
) -> tuple[Int64[np.ndarray, " total"], Int64[np.ndarray, " total"]]:
    """The row and the item of every place of every row, end to end."""
    rows = np.repeat(np.arange(len(sequences), dtype=np.int64), sequences.lengths)
    return rows, sequences.values[sequences.places()].astype(np.int64)


def distinct(sequences: Sequences) -> Int64[np.ndarray, " rows"]:
    """How many different items each row holds."""
    return np.bincount(_pairs(sequences)[0], minlength=len(sequences))


def _pairs(
    sequences: Sequences,
) -> tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]:
    """The rows and items of all places, in item order, each pair once."""
    count = max(len(sequences), 1)
    rows, items = flat(sequences)
    keys = np.sort(items * count + rows)
    keys = keys[np.diff(keys, prepend=-1) > 0]
    return keys % count, keys // count


def _renumber(
    rows: Int64[np.ndarray, " total"],
    items: Int64[np.ndarray, " total"],
    among: Int64[np.ndarray, " some_items"],
) -> tuple[Int64[np.ndarray, " kept"], Int64[np.ndarray, " kept"]]:
    """The pairs whose item is `among`, and its place there."""
    kept = np.isin(items, among)
    return rows[kept], np.searchsorted(among, items[kept])


class Tally:
    """How many items beat one target of each of the first `len(targets)` rows."""

    def __init__(self, targets: Int64[Tensor, " rows"], scores: Float32[Tensor, " rows"]) -> None:
        """`scores` are those of the targets, from the same arithmetic as the blocks."""
        self._targets, self._scores = targets, scores
        self._just_below = torch.nextafter(scores, torch.full_like(scores, -torch.inf))
        self._beaten_by = torch.zeros(len(targets), dtype=torch.float64, device=scores.device)

    @property
    def ranks(self) -> Int64[Tensor, " rows"]:
        """The ranks, once all blocks were counted."""
        return self._beaten_by.long() + 1

    def count(
        self,
        start: int,
        scores: Float32[Tensor, "all_rows block"],
        room: Float32[Tensor, "all_rows block"],
    ) -> None:
        """Count a block; `room` is overwritten."""
        scores, room = scores[: len(self._targets)], room[: len(self._targets)]
        places, width = self._targets - start, scores.shape[1]
        limits = torch.where(places >= width, self._just_below, self._scores)[:, None]
        # Compared into floats, not booleans: torch vectorises that, and 0/1 floats sum exactly.
        beating = torch.gt(scores, limits, out=room).sum(1)
        inside = ((places >= 0) & (places < width)).nonzero()[:, 0]
        if len(inside):
            self._settle(inside, places[inside], scores.index_select(0, inside), beating)
        self._beaten_by += beating

    def _settle(
        self,
        rows: Int64[Tensor, " inside"],
        places: Int64[Tensor, " inside"],
        scores: Float32[Tensor, "inside block"],
        beating: Float32[Tensor, " rows"],
    ) -> None:
        """In rows whose target is in this block: do not count itself, but ties with a smaller id."""
        limits = self._scores[rows]
        itself = scores.gather(1, places[:, None])[:, 0]
        beating[rows] -= (itself > limits).float()
        equal = torch.gt(scores, self._just_below[rows, None]).sum(1)
        equal -= torch.gt(scores, limits[:, None]).sum(1) + (itself == limits)
        tied = (equal > 0).nonzero()[:, 0]
        if len(tied):
            columns = torch.arange(scores.shape[1], device=scores.device)
            same = scores[tied] == limits[tied, None]
            beating[rows[tied]] += (same & (columns < places[tied, None])).sum(1)


def products(
    states: Float[Tensor, "rows width"], table: Float[Tensor, "items width"], block: int
) -> Iterator[Block]:
    """The scores of all items, at most `block` items at a time."""
    even = -(-len(table) // max(1, -(-len(table) // block)))  # no small rest at the end
    for start in range(0, len(table), even):
        yield start, product(states, table[start : start + even])


def target_scores(
    states: Float[Tensor, "rows width"],
    table: Float[Tensor, "items width"],
    targets: Int64[Tensor, " some_rows"],
) -> Float32[Tensor, " some_rows"]:
    """The targets' scores, of the first `len(targets)` rows, as the diagonal of a matrix product.

    Dearer than as many dot products, but rounded like the blocks, so that items with equal vectors
    tie.
    """
    found = [
        product(
            states[first : first + _DIAGONAL], table[targets[first : first + _DIAGONAL]]
        ).diagonal()
        for first in range(0, len(targets), _DIAGONAL)
    ]
    return torch.cat(found) if found else states.new_empty(0)
