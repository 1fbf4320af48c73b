"""How sure a member is of its answer, from its calibrated probabilities."""

from __future__ import annotations

import math
from typing import Literal

from jaxtyping import Float
from torch import Tensor

Measure = Literal["entropy", "max-probability"]
"""`entropy`: 1 − H(p) / log items. `max-probability`: that of the best item."""


def certainty(
    log_probabilities: Float[Tensor, "*rows items"], measure: Measure = "entropy"
) -> Float[Tensor, "*rows"]:
    """Between 0 (all items alike, for `entropy`) and 1 (one item has everything)."""
    if measure == "max-probability":
        return log_probabilities.amax(-1).exp()
    items = log_probabilities.shape[-1]
    surprise = -(log_probabilities.exp() * log_probabilities).sum(-1)
    return (1 - surprise / math.log(max(items, 2))).clamp(0, 1)
