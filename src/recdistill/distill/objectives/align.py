"""`align`: the student's vectors, through a learned projection, are to point where the teacher's
do.

    cosine    L = 1 − cos(W v_S + b, v_T)
    mse       L = 1/d · ‖W v_S + b − v_T‖²               (FitNets: Romero et al. 2015, eq. 3)
    whitened  L = 1/d · ‖W v_S + b − Λ^{-1/2} Uᵀ (v_T − μ)‖²

The projection W belongs to the objective, is learned with the student and dropped after training.
`whitened` first takes the teacher's mean and its d strongest directions and gives each the same
say: the vectors of language models share one dominant direction, and the other two distances spend
most of themselves on it.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from recdistill.distill.objectives.bridges import Bridge, Whitening
from recdistill.distill.objectives.contract import Knobs, VectorObjective
from recdistill.models.geometry import Distance, cosine_distance, squared_distance


class Align(VectorObjective):
    """Distance of the student's item or user vectors from the teacher's, through a learned
    projection."""

    kind: Literal["align"] = "align"
    on: Literal["item-vectors", "user-vectors"] = "item-vectors"
    distance: Literal["cosine", "mse", "whitened"] = "cosine"

    def bridge(self, width: int, teacher: Float[Tensor, "rows teacher_width"]) -> Bridge:
        """A linear projection to the teacher's vectors, whitened when the distance says so."""
        if self.distance != "whitened":
            return Bridge(width, nn.Identity(), teacher.shape[1])
        whitening = Whitening(teacher, width)
        return Bridge(width, whitening, whitening.axes.shape[1])

    def __call__(
        self,
        student: Float[Tensor, "rows width"],
        teacher: Float[Tensor, "rows teacher_width"],
        bridge: Bridge,
        knobs: Knobs,
    ) -> Float[Tensor, " rows"]:
        """The distance of each pair."""
        distance: Distance = cosine_distance if self.distance == "cosine" else squared_distance
        return distance(*bridge(student, teacher))
