"""`random`: each position is heard with a probability of its own, drawn anew at every step."""

from __future__ import annotations

from typing import Literal

import torch

from recdistill.distill.filters.contract import POSITIONS, Filter, Heard
from recdistill.distill.places import Knobs, Places
from recdistill.distill.schedules import Fraction
from recdistill.models.logits import Logits


class Random(Filter):
    """Random masking of what is distilled: dropout for the teacher."""

    kind: Literal["random"] = "random"
    keep: Fraction = 0.5
    """The probability with which a position is heard."""

    @property
    def hears(self) -> frozenset[str | None]:
        """Everything that is about positions."""
        return POSITIONS

    def __call__(self, heard: Heard, logits: Logits, places: Places, knobs: Knobs) -> Heard:
        """A Bernoulli draw for each position."""
        return heard.only(torch.rand_like(heard.counts) < knobs["keep"])
