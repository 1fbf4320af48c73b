"""`per-context`: routing, a small gate weighs the members anew in every context."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor

from recdistill.teachers.combining.contract import LinearPool


class PerContext(LinearPool):
    """p = Σ_m g_m(x) p_m, with a gate g that looks at the context x (Jacobs et al. 1991, "Adaptive mixtures of
    local experts").

    The gate (`Gate`) is fitted on validation cases after the members, as in stacking (Wolpert 1992), and kept
    only where, asked about users it was not fitted on, it beats the one set of weights for all (`routing`).
    """

    kind: Literal["per-context"] = "per-context"
    recent: PositiveInt = 5
    """The gate looks at the popularity of this many of the latest items."""
    folds: int = Field(default=5, ge=2)
    """Into how many parts the users of validation are cut to try the gate."""
    margin: NonNegativeFloat = 1.0
    """How many standard errors the gate's NDCG@10 must lie above that of the weights for all."""

    def voices(
        self, scores: Float[Tensor, "members rows items"]
    ) -> Float[Tensor, "members rows items"]:
        """The log-probabilities."""
        return scores.log_softmax(2)
