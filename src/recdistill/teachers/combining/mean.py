"""`mean`: the weighted mean of calibrated scores, the logarithmic pool."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from recdistill.teachers.combining.contract import Combiner


class Mean(Combiner):
    """p ∝ Π_m p_m^w_m: an item must please all members.

    Of factorised members it is factorised itself, so that it says vectors too (`Mixture`).
    """

    kind: Literal["mean"] = "mean"

    def summands(
        self, scores: Float[Tensor, "members rows items"]
    ) -> Float[Tensor, "members rows items"]:
        """The scores themselves."""
        return scores
