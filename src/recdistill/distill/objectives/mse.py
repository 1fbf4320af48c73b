"""`mse`: the student's logits of the teacher's best items are to be the teacher's.

    L = 1/k · Σ_i (z̃_S,i − z̃_T,i)²

the limit of `kl` at high temperature (Hinton et al. 2015, section 2.1), which compares centred
logits. What z̃ is, `scale` decides: logits as they are, minus their mean over the k items, or
standardised to mean 0 and deviation 1 (Sun et al. 2024, "Logit standardization in knowledge
distillation"), which asks for the teacher's preferences whatever the size of its numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.models.logits import Logits

_Scale = Callable[[Float[Tensor, "positions k"]], Float[Tensor, "positions k"]]


def centred(logits: Float[Tensor, "positions k"]) -> Float[Tensor, "positions k"]:
    """Minus the mean of their row; a softmax cannot tell the difference."""
    return logits - logits.mean(-1, keepdim=True)


def standardised(logits: Float[Tensor, "positions k"]) -> Float[Tensor, "positions k"]:
    """Rows of mean 0 and mean square 1; a constant row becomes 0."""
    shifted = centred(logits)
    square = shifted.square().mean(-1, keepdim=True)
    return shifted * torch.rsqrt(square + torch.finfo(logits.dtype).eps)


_SCALES: dict[str, _Scale] = {
    "raw": lambda logits: logits,
    "centred": centred,
    "standardised": standardised,
}


def squared_error(
    teacher: Float[Tensor, "positions k"], student: Float[Tensor, "positions k"]
) -> Float[Tensor, " positions"]:
    """The mean squared difference of each row."""
    return (student - teacher).square().mean(-1)


class MSE(LogitObjective):
    """Squared error of the logits at the teacher's best items."""

    kind: Literal["mse"] = "mse"
    on: Literal["top-k"] = "top-k"
    scale: Literal["raw", "centred", "standardised"] = "standardised"
    """What of the logits must agree: their `raw` values, their differences (`centred`), or their
    differences up to a factor (`standardised`)."""

    @property
    def dense(self) -> bool:
        """Never: the k items suffice."""
        return False

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The mean squared difference at each position."""
        scale = _SCALES[self.scale]
        return squared_error(scale(signal["logits"]), scale(logits.at(signal["items"])))
