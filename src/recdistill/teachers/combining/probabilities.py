"""`probabilities`: soft voting, the linear pool."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from recdistill.teachers.combining.contract import LinearPool


class Probabilities(LinearPool):
    """p = Σ_m w_m p_m: one member that is sure of an item is enough (Stone 1961; the sum rule of Kittler
    et al. 1998, "On combining classifiers").
    """

    kind: Literal["probabilities"] = "probabilities"

    def voices(
        self, scores: Float[Tensor, "members rows items"]
    ) -> Float[Tensor, "members rows items"]:
        """The log-probabilities."""
        return scores.log_softmax(2)
