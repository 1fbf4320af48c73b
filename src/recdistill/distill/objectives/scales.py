"""What of a row of logits is compared: their values, their differences, or these up to a factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Scale = Literal["raw", "centred", "standardised"]
"""`raw` values, differences (`centred`), or differences up to a factor (`standardised`)."""

_Scaling = Callable[[Float[Tensor, "positions k"]], Float[Tensor, "positions k"]]


def centred(logits: Float[Tensor, "positions k"]) -> Float[Tensor, "positions k"]:
    """Minus the mean of their row; a softmax cannot tell the difference."""
    return logits - logits.mean(-1, keepdim=True)


def standardised(logits: Float[Tensor, "positions k"]) -> Float[Tensor, "positions k"]:
    """Rows of mean 0 and mean square 1; a constant row becomes 0 (Sun et al. 2024)."""
    shifted = centred(logits)
    square = shifted.square().mean(-1, keepdim=True)
    return shifted * torch.rsqrt(square + torch.finfo(logits.dtype).eps)


SCALES: dict[Scale, _Scaling] = {
    "raw": lambda logits: logits,
    "centred": centred,
    "standardised": standardised,
}
"""Each scale by its name."""
