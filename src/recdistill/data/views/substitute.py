"""`substitute`: items of a history are replaced by others."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from recdistill.data.batches import Batch
from recdistill.data.views.contract import View


class Substitute(View):
    """Replaces each item with a probability by one drawn from the batch, hence by popularity.

    Noise on the inputs of a noisy student (Xie et al. 2020): the teacher spoke of the history as it was.
    """

    kind: Literal["substitute"] = "substitute"
    rate: float = Field(default=0.1, ge=0, le=1)
    """The probability with which an item is replaced."""

    def __call__(self, batch: Batch, draw: np.random.Generator) -> Batch:
        """The same positions, some with other items."""
        hit = draw.random(len(batch)) < self.rate
        others = batch.items[draw.integers(0, len(batch), len(batch))]
        return replace(batch, items=np.where(hit, others, batch.items))
