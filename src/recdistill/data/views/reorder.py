"""`reorder`: a stretch of each history is shuffled."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from recdistill.data.batches import Batch
from recdistill.data.views.contract import Rows, View


class Reorder(View):
    """Shuffles a random stretch (CL4SRec, section 3.2: β = 0.6).

    Within the stretch a position may see what it is asked for, so only its last position, which has seen
    the same items in whatever order, keeps its question.
    """

    kind: Literal["reorder"] = "reorder"
    share: float = Field(default=0.6, gt=0, le=1)
    """The share of a history that is shuffled."""

    def __call__(self, batch: Batch, draw: np.random.Generator) -> Batch:
        """The same items, some at other places."""
        rows = Rows.of(batch)
        firsts, stops = rows.spans(self.share, draw)
        place, row = np.arange(len(batch)), rows.of_positions
        within = (place >= firsts[row]) & (place < stops[row])
        # Sorted by row first: draws decide the order within each stretch and nowhere else.
        shuffled = place[within][np.lexsort((draw.random(int(within.sum())), row[within]))]
        items = batch.items.copy()
        items[within] = batch.items[shuffled]
        silent = within & (place < stops[row] - 1)
        targets, events = (np.where(silent, -1, part) for part in (batch.targets, batch.events))
        return replace(batch, items=items, targets=targets, events=events)
