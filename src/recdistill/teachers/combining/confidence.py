"""`confidence`: in each context, the member that is surer has more say."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from pydantic import NonNegativeFloat
from torch import Tensor

from recdistill.teachers.combining.certainty import Measure, certainty
from recdistill.teachers.combining.contract import LinearPool

_LEAST = 1e-6
"""Certainty of a member that knows nothing: were it 0, a context of which nobody knows would have no answer."""


class Confidence(LinearPool):
    """p ∝ Σ_m w_m c_m^power p_m, with c_m the member's certainty in this very context.

    After Kwon et al. 2020, "Adaptive knowledge distillation based on entropy", who give teachers of low entropy
    more weight in every example.
    """

    kind: Literal["confidence"] = "confidence"
    by: Measure = "entropy"
    """What certainty is: 1 − H(p) / log items, or the probability of the best item."""
    power: NonNegativeFloat = 1.0
    """0 gives `probabilities`; large, the surest member alone speaks."""

    def voices(
        self, scores: Float[Tensor, "members rows items"]
    ) -> Float[Tensor, "members rows items"]:
        """The log-probabilities, with the logarithm of how much the member counts here."""
        log_p = scores.log_softmax(2)
        sure = certainty(log_p, self.by).clamp_min(_LEAST)
        return log_p + self.power * sure.log()[..., None]
