"""What every objective shares that looks inside two models and compares their layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from recdistill.distill.companions import Itself
from recdistill.distill.objectives.contract import LiveObjective
from recdistill.distill.output import Output
from recdistill.errors import ConfigError
from recdistill.models.internals import Anatomy, Internals
from recdistill.models.layer_pairs import LayerPairs, paired, require_layers


class LayerObjective(LiveObjective):
    """Compares layers of the student with layers of the teacher."""

    layers: LayerPairs = "last"
    """Which."""

    def fit(self, student: Anatomy, teacher: Anatomy) -> None:
        """Refuse layers that are not there, and a layer that would teach itself or a deeper one."""
        for who, blocks in (("student", student.blocks), ("teacher", teacher.blocks)):
            if not blocks:
                raise ConfigError(
                    f"Objective '{self.label}' looks into layers, but the {who} has none.",
                    "Take a model made of transformer blocks (`kind: sasrec`), or drop the term.",
                )
        require_layers(f"Objective '{self.label}'", self.layers, student.blocks, teacher.blocks)
        for own, other in paired(self.layers, student.blocks, teacher.blocks):
            if isinstance(self.of, Itself) and own >= other:
                raise ConfigError(
                    f"Objective '{self.label}' lets the student's layer {own} learn from its own layer {other}, "
                    "which is no deeper.",
                    f"Name a deeper one: `layers: [[0, {student.blocks - 1}]]`."
                    if student.blocks > 1
                    else "Give the student more `blocks`, or drop the term.",
                )

    def inside(self, student: Output, teacher: Output) -> tuple[Internals, Internals]:
        """What went on inside the two."""
        assert student.internals is not None
        assert teacher.internals is not None
        return student.internals, teacher.internals


def mean_of(
    losses: Sequence[Float[Tensor, " positions"]],
) -> Float[Tensor, " positions"]:
    """The mean of several losses of each position."""
    return torch.stack([*losses]).mean(0)
