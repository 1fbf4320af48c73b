"""`hint`: the student's hidden states, through a learned map, are to be the teacher's.

    L = mean over pairs of layers of D(W h_S + b, h_T)
    D(u, v) = ‖u/‖u‖ − v/‖v‖‖²     (PKD: Sun et al. 2019, section 3.2), in [0, 4]
            = 1/d ‖u − v‖²         with `normalise: false` (FitNets: Romero et al. 2015, eq. 3)

One pair is FitNets' hint, several are PKD's patience. W belongs to the objective, one for each pair, and is
dropped after training.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from recdistill.distill.objectives.contract import Knobs
from recdistill.distill.objectives.layers import LayerObjective, mean_of
from recdistill.distill.output import Output
from recdistill.errors import ConfigError
from recdistill.models.geometry import state_distance
from recdistill.models.internals import Anatomy, precise
from recdistill.models.layer_pairs import paired


class Hint(LayerObjective):
    """Distance of hidden states, layer by layer."""

    kind: Literal["hint"] = "hint"
    normalise: bool = True
    """Whether only the directions of states are compared: the sizes of two models' states mean little to
    one another."""
    mapping: Literal["linear", "none"] = "linear"
    """What lies between the widths; `none` needs equal ones."""

    def fit(self, student: Anatomy, teacher: Anatomy) -> None:
        """Refuse layers that are not there, and different widths with no map between them."""
        super().fit(student, teacher)
        if self.mapping == "none" and student.width != teacher.width:
            raise ConfigError(
                f"Objective '{self.label}' compares states of width {student.width} with the teacher's of width "
                f"{teacher.width}, and has no map between them.",
                f"Write `mapping: linear`, or give the student `width: {teacher.width}`.",
            )

    def bridge(self, student: Anatomy, teacher: Anatomy) -> nn.ModuleList:
        """A map for each pair of layers."""
        pairs = paired(self.layers, student.blocks, teacher.blocks)
        if self.mapping == "none":
            return nn.ModuleList(nn.Identity() for _ in pairs)
        return nn.ModuleList(nn.Linear(student.width, teacher.width) for _ in pairs)

    def __call__(
        self, student: Output, teacher: Output, bridge: nn.ModuleList, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The mean distance of each position's states."""
        (own, other) = (side.hidden for side in self.inside(student, teacher))
        pairs = paired(self.layers, len(own), len(other))
        return mean_of(
            [
                state_distance(across(precise(own[s])), precise(other[t]), normalise=self.normalise)
                for across, (s, t) in zip(bridge, pairs, strict=True)
            ]
        )
