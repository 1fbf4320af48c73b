"""How positions of a history attend to one another, for whole packed batches.

    A_ij = softmax_j≤i (a_i · b_j / √d)

a and b are queries and keys (what attention computes), or any two of queries, keys and values (the relations of
MiniLM). Models here are causal, so each position relates itself to those it can see; the row of a history's first
position is 1, whatever the model.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from recdistill.distill.objectives.contract import Knobs
from recdistill.distill.objectives.layers import LayerObjective, mean_of
from recdistill.distill.output import Output
from recdistill.models.attention_maps import Maps, relation_map
from recdistill.models.internals import Anatomy, precise
from recdistill.models.layer_pairs import paired
from recdistill.models.transformer import Runs


def before(length: int, device: torch.device) -> Bool[Tensor, "1 1 length length"]:
    """Which positions each position of a history sees: those up to it."""
    return torch.ones(1, 1, length, length, dtype=torch.bool, device=device).tril()


def relations(
    left: Float[Tensor, "rows length heads depth"], right: Float[Tensor, "rows length heads depth"]
) -> Maps:
    """log A of each head."""
    return relation_map(left, right, before(left.shape[1], left.device))


def averaged(maps: Maps) -> Float[Tensor, "rows 1 length length"]:
    """The mean over heads, as one head."""
    return (torch.logsumexp(maps, dim=1, keepdim=True) - math.log(maps.shape[1])).tril()


def map_distance(student: Maps, teacher: Maps) -> Float[Tensor, "rows maps length"]:
    """Σ_j (A_S − A_T)² of each row."""
    return (student.exp() - teacher.exp()).square().sum(-1)


def over_histories(
    compare: Callable[[Tensor, Tensor], Float[Tensor, "rows maps length"]],
    student: Float[Tensor, "positions 3 heads depth"],
    teacher: Float[Tensor, "positions 3 teacher_heads teacher_depth"],
    runs: Runs,
) -> Float[Tensor, " positions"]:
    """`compare` for all histories of one length after another; the mean over heads of each position."""
    sizes = [rows * length for _, rows, length in runs]
    lengths = [length for _, _, length in runs]
    losses = [
        compare(own.unflatten(0, (-1, length)), other.unflatten(0, (-1, length))).mean(1).flatten()
        for own, other, length in zip(
            student.split(sizes), teacher.split(sizes), lengths, strict=True
        )
    ]
    return torch.cat(losses)


class MapObjective(LayerObjective):
    """Compares what positions are to one another in paired layers; there is nothing to learn between two maps of
    the same history, whoever looks."""

    def bridge(self, student: Anatomy, teacher: Anatomy) -> nn.Module:
        """Nothing."""
        return nn.Identity()

    def __call__(
        self, student: Output, teacher: Output, bridge: nn.Module, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The mean over pairs of layers, at each position."""
        own, other = (side.parts for side in self.inside(student, teacher))
        return mean_of(
            [
                over_histories(self.compare, precise(own[s]), precise(other[t]), student.batch.runs)
                for s, t in paired(self.layers, len(own), len(other))
            ]
        )

    @abstractmethod
    def compare(
        self,
        student: Float[Tensor, "rows length 3 heads depth"],
        teacher: Float[Tensor, "rows length 3 teacher_heads teacher_depth"],
    ) -> Float[Tensor, "rows maps length"]:
        """The loss of each map and position, from queries, keys and values of histories of one length."""
