"""`disagreement`: a position is heard only where student and teacher would choose differently."""

from __future__ import annotations

from typing import Literal

from recdistill.distill.filters.contract import Filter, Heard
from recdistill.distill.places import Knobs, Places
from recdistill.models.logits import Logits


class Disagreement(Filter):
    """Spends the term where there is something to learn: of the listed items, the student's best is
    not the teacher's."""

    kind: Literal["disagreement"] = "disagreement"

    def __call__(self, heard: Heard, logits: Logits, places: Places, knobs: Knobs) -> Heard:
        """Where the first choices differ."""
        signal = heard.signal
        own = logits.at(signal["items"]).argmax(1)
        return heard.only(own != signal["logits"].argmax(1))
