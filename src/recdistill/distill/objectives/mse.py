"""`mse`: the student's logits of the teacher's best items are to be the teacher's.

    L = 1/k · Σ_i (z̃_S,i − z̃_T,i)²

the limit of `kl` at high temperature (Hinton et al. 2015, section 2.1), which compares centred
logits. What z̃ is, `scale` decides: logits as they are, minus their mean over the k items, or
standardised to mean 0 and deviation 1 (Sun et al. 2024, "Logit standardization in knowledge
distillation"), which asks for the teacher's preferences whatever the size of its numbers.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.scales import SCALES, Scale
from recdistill.models.logits import Logits


def squared_error(
    teacher: Float[Tensor, "positions k"], student: Float[Tensor, "positions k"]
) -> Float[Tensor, " positions"]:
    """The mean squared difference of each row."""
    return (student - teacher).square().mean(-1)


class MSE(LogitObjective):
    """Squared error of the logits at the teacher's best items."""

    kind: Literal["mse"] = "mse"
    on: Literal["top-k"] = "top-k"
    scale: Scale = "standardised"
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
        scale = SCALES[self.scale]
        return squared_error(scale(signal["logits"]), scale(logits.at(signal["items"])))
