"""`crop`: a random stretch of each history."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from recdistill.data.batches import Batch
from recdistill.data.views.contract import Rows, View, kept


class Crop(View):
    """Sees a contiguous part of every history (Xie et al. 2022, CL4SRec, section 3.2: η = 0.6)."""

    kind: Literal["crop"] = "crop"
    keep: float = Field(default=0.6, gt=0, le=1)
    """The share of a history that is seen; one item at least."""

    def __call__(self, batch: Batch, draw: np.random.Generator) -> Batch:
        """The positions of one stretch a row."""
        rows = Rows.of(batch)
        firsts, stops = rows.spans(self.keep, draw)
        place, row = np.arange(len(batch)), rows.of_positions
        return kept(batch, (place >= firsts[row]) & (place < stops[row]))
