"""`labelled`: a fixed share of the training events counts as labelled; the others are contexts without an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field, NonNegativeInt
from torch import Tensor

from recdistill.distill.filters.contract import POSITIONS, Filter, Heard
from recdistill.distill.places import Knobs, Places
from recdistill.models.logits import Logits

_FACTORS = -0x61C8864680B583EB, -0x4B47D0C5F8A6E6A7
"""Odd numbers with bits all over; multiplication wraps around, which is what mixes."""


def lots(events: Int64[Tensor, " positions"], seed: int) -> Float[Tensor, " positions"]:
    """A number in [0, 1) for each event, the same whenever and wherever it is asked for.

    The rounds of a 64-bit mixing function (Steele, Lea & Flood 2014, fig. 16: xor-shift and multiply), so that
    neither the order of events nor their neighbourhood shows, and no table of all events is kept.
    """
    mixed = (events + 1) * _FACTORS[0] + torch.full_like(events, seed) * _FACTORS[1]
    for factor in _FACTORS:
        mixed = (mixed ^ ((mixed >> 31) & 0x1_FFFF_FFFF)) * factor
    return ((mixed >> 40) & 0xFF_FFFF) / float(1 << 24)


class Labelled(Filter):
    """Data-poor and semi-supervised studies: the term hears the truth (or the teacher) at few events only.

    On `next-item` it takes labels away while the teacher's terms keep all contexts. What counts, counts 1 / share, so
    that the term is the mean over what is labelled and keeps its say beside the others (as in FixMatch, Sohn et al.
    2020, where labelled and unlabelled losses are means of their own). A smaller share is part of a larger one.
    """

    kind: Literal["labelled"] = "labelled"
    share: float = Field(default=0.1, gt=0, le=1)
    """How many of the events, each by a lot of its own."""
    seed: NonNegativeInt = 0
    """Decides which; not the seed of training, so that all seeds of a study learn from the same labels."""

    @property
    def hears(self) -> frozenset[str | None]:
        """Everything that is about positions, and true labels too."""
        return POSITIONS | {None}

    def __call__(self, heard: Heard, logits: Logits, places: Places, knobs: Knobs) -> Heard:
        """Only the labelled positions, each counting for those that are not; events unknown to the log never are."""
        chosen = (places.events >= 0) & (lots(places.events, self.seed) < self.share)
        return replace(heard, counts=heard.counts * chosen / self.share)
