"""`confident`: a position is heard only where the teacher is sure enough."""

from __future__ import annotations

from typing import Literal

from recdistill.distill.filters.contract import POSITIONS, Filter, Heard
from recdistill.distill.places import Knobs, Places
from recdistill.distill.schedules import Fraction
from recdistill.models.logits import Logits


class Confident(Filter):
    """Low-confidence masking: the teacher's best item must have at least the probability `above`.

    As for pseudo-labels (Sohn et al. 2020, FixMatch, eq. 4, which uses 0.95 for ten classes; a
    catalogue of thousands asks for far less).
    """

    kind: Literal["confident"] = "confident"
    above: Fraction = 0.05
    """The least probability of the best item, at the temperature of the signal."""

    @property
    def hears(self) -> frozenset[str | None]:
        """Lists and labels."""
        return POSITIONS

    def __call__(self, heard: Heard, logits: Logits, places: Places, knobs: Knobs) -> Heard:
        """Where the teacher's greatest probability reaches the threshold."""
        signal = heard.signal
        if "confidence" in signal:
            return heard.only(signal["confidence"] >= knobs["above"])
        best = (signal["logits"].max(1).values / heard.temperature).exp()
        return heard.only(best >= knobs["above"])
