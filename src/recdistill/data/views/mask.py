"""`mask`: items of a history are left out."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from recdistill.data.batches import Batch
from recdistill.data.views.contract import View, kept


class Mask(View):
    """Leaves out each item with a probability (CL4SRec, section 3.2: γ = 0.3).

    Packed histories need no mask token: what is masked is not there.
    """

    kind: Literal["mask"] = "mask"
    rate: float = Field(default=0.3, ge=0, lt=1)
    """The probability with which an item is not seen."""

    def __call__(self, batch: Batch, draw: np.random.Generator) -> Batch:
        """The positions that are left; the last of each history always is."""
        keep = draw.random(len(batch)) >= self.rate
        keep[batch.ends] = True
        return kept(batch, keep)
