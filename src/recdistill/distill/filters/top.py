"""`top`: only the head of each list is heard."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import PositiveInt

from recdistill.distill.filters.contract import Filter, Heard
from recdistill.distill.filters.lists import chosen
from recdistill.distill.places import Knobs, Places
from recdistill.models.logits import Logits


class Top(Filter):
    """Top-n masking: what the teacher says of lower ranks is taken for noise."""

    kind: Literal["top"] = "top"
    n: PositiveInt = 20
    """How many items of each list are heard; all of a shorter one."""

    def __call__(self, heard: Heard, logits: Logits, places: Places, knobs: Knobs) -> Heard:
        """The first items; the others join the rest."""
        items = heard.signal["items"]
        count = min(self.n, items.shape[1])
        head = torch.arange(count, device=items.device).expand(len(items), -1)
        return chosen(heard, head)
