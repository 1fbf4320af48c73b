"""`part`: of each list of items only a random part is heard, another one at every step."""

from __future__ import annotations

from typing import Literal

import torch

from recdistill.distill.filters.contract import Filter, Heard
from recdistill.distill.filters.lists import chosen
from recdistill.distill.places import Knobs, Places
from recdistill.distill.schedules import Fraction
from recdistill.models.logits import Logits


class Part(Filter):
    """Partial masking: a random subset of the teacher's items, in the teacher's order."""

    kind: Literal["part"] = "part"
    keep: Fraction = 0.5
    """The share of the listed items that is heard; one item at least."""

    def __call__(self, heard: Heard, logits: Logits, places: Places, knobs: Knobs) -> Heard:
        """The same number of items from every list."""
        items = heard.signal["items"]
        count = max(1, round(knobs["keep"] * items.shape[1]))
        draws = torch.rand(items.shape, device=items.device)
        return chosen(heard, draws.topk(count, dim=1).indices.sort(dim=1).values)
