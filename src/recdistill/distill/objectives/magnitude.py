"""`magnitude`: the student's hidden states are to be as large as the teacher's.

    L = mean over pairs of layers of (‖h_S‖/√d_S − ‖h_T‖/√d_T)²

Beside `hint`, which compares directions: together the two are the block-wise features of SLMRec (Xu et al. 2025), here
per dimension, so that widths may differ.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from recdistill.distill.objectives.contract import Knobs
from recdistill.distill.objectives.layers import LayerObjective, mean_of
from recdistill.distill.output import Output
from recdistill.models.geometry import root
from recdistill.models.internals import Anatomy, precise
from recdistill.models.layer_pairs import paired


class Magnitude(LayerObjective):
    """Distance of the sizes of hidden states, layer by layer."""

    kind: Literal["magnitude"] = "magnitude"

    def bridge(self, student: Anatomy, teacher: Anatomy) -> nn.Module:
        """Nothing: a size is a number in both."""
        return nn.Identity()

    def __call__(
        self, student: Output, teacher: Output, bridge: nn.Module, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The mean squared difference of each position's sizes."""
        own, other = (side.hidden for side in self.inside(student, teacher))
        pairs = paired(self.layers, len(own), len(other))
        return mean_of([(size(own[s]) - size(other[t])).square() for s, t in pairs])


def size(states: Float[Tensor, "positions width"]) -> Float[Tensor, " positions"]:
    """The root mean square over dimensions."""
    return root(precise(states).square().mean(-1))
