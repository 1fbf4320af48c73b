"""`input-gradient`: what moves the whole encoder's vector of a text moves the small one's.

    s_j = ∂(r · v) / ∂g_j,   s*_j = ∂(P r · v*) / ∂g_j      g_j the gate of token j: how much of its word is seen
    L   = mean over texts of ‖unit(s) − unit(s*)‖² = 2 (1 − cos(s, s*))

r has random signs, drawn anew for each text and step, so that all directions of the vectors count alike. Stochastic
Sobolev training (Czarnecki et al. 2017: random projections) and Jacobian matching (Srinivas & Fleuret 2018); a gate's
gradient is gradient times input, the saliency of a word. Gates are the same whatever the width, embeddings are not.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor, nn

from recdistill.models.geometry import state_distance
from recdistill.models.internals import Anatomy, precise
from recdistill.teachers.adapting.terms.contract import InnerTerm
from recdistill.teachers.adapting.terms.hearing import Heard


class InputGradient(InnerTerm):
    """Distance of the gradients with respect to how much is seen of each token."""

    kind: Literal["input-gradient"] = "input-gradient"
    weight: PositiveFloat = 0.02
    probing: ClassVar[bool] = True

    def fit(self, small: Anatomy, whole: Anatomy) -> None:
        """Whoever has vectors has these."""

    def __call__(self, own: Heard, other: Heard, bridge: nn.Module) -> Float[Tensor, " texts"]:
        """The squared difference of each text's directions."""
        assert own.gradient is not None
        assert other.gradient is not None
        return state_distance(precise(own.gradient), precise(other.gradient), normalise=True)
