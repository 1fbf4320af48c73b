"""Hidden states: mean over pairs of layers and a text's tokens of ‖unit(W h + b) − unit(h*)‖².

W and b, one for each pair of layers, are learned beside and dropped (TinyBERT: Jiao et al. 2020); they begin as P, for
layers taken over as the identity. Directions are compared, not lengths (PKD: Sun et al. 2019).
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recdistill.models.geometry import state_distance
from recdistill.models.internals import Anatomy, precise
from recdistill.models.layer_pairs import LayerPairs, paired, require_layers
from recdistill.teachers.adapting.terms.contract import Axes, InnerTerm, mean_of_texts
from recdistill.teachers.adapting.terms.hearing import Heard


class Hidden(InnerTerm):
    """Distance of hidden states."""

    kind: Literal["hidden"] = "hidden"
    layers: LayerPairs = "spread"

    def fit(self, small: Anatomy, whole: Anatomy) -> None:
        """Refuse layers that are not there."""
        require_layers(self.label, self.layers, small.blocks, whole.blocks)

    def bridge(self, axes: Axes, depths: tuple[int, int]) -> nn.Module:
        """A map for each pair of layers."""
        return nn.ModuleList(across(axes) for _ in paired(self.layers, *depths))

    def __call__(self, own: Heard, other: Heard, bridge: nn.Module) -> Float[Tensor, " texts"]:
        """The mean over pairs of layers and a text's tokens."""
        there, depths = own.there, (len(own.hidden), len(other.hidden))
        pairs = zip(cast(nn.ModuleList, bridge), paired(self.layers, *depths), strict=True)
        far = [
            state_distance(
                over(precise(own.hidden[s])[there]), precise(other.hidden[t])[there], normalise=True
            )
            for over, (s, t) in pairs
        ]
        return mean_of_texts(torch.stack(far).mean(0), own)


def across(axes: Axes) -> nn.Linear:
    """A map into the whole encoder's states that begins as `axes`: for layers taken over, as the identity."""
    made = nn.Linear(axes.shape[1], axes.shape[0])
    with torch.no_grad():
        made.weight.copy_(axes)
        made.bias.zero_()
    return made
