"""`noise`: the teacher's logits are heard through noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import torch
from pydantic import AfterValidator, Field

from recdistill.distill.filters.contract import Filter, Heard
from recdistill.distill.places import Knobs, Places
from recdistill.distill.schedules import Schedule, Within
from recdistill.models.logits import Logits


class Noise(Filter):
    """z̃ = z + σ·ε with ε ~ N(0, 1), drawn anew at every step: as if many teachers spoke.

    Noisy teachers (Sau & Balasubramanian 2016, "Deep model compression: distilling knowledge from noisy
    teachers", eq. 4–5, with multiplicative noise; additive here, since logits have no natural zero).
    """

    kind: Literal["noise"] = "noise"
    deviation: Annotated[Schedule, AfterValidator(Within(0.0))] = 0.5
    """σ, in logits."""
    share: float = Field(default=1.0, gt=0, le=1)
    """The probability with which a position's logits are disturbed at all."""

    def __call__(self, heard: Heard, logits: Logits, places: Places, knobs: Knobs) -> Heard:
        """The same items with other logits; the list keeps its order, not its values."""
        z = heard.signal["logits"]
        hit = torch.rand(len(z), 1, device=z.device) < self.share
        disturbed = z + knobs["deviation"] * torch.randn_like(z) * hit
        return replace(heard, signal={**heard.signal, "logits": disturbed})
