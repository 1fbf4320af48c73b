"""What stays of a SASRec, as data: which blocks, which heads and units of each, which directions of item vectors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.compression.importance import Importance
from recdistill.models.sasrec import BlockShape, Shape


@dataclass(frozen=True)
class BlockPlan:
    """What stays of one block.

    Attributes:
        number: which block it is.
        heads: the heads that stay, ascending.
        units: the feed-forward units that stay, ascending.
    """

    number: int
    heads: Int64[Tensor, " heads"]
    units: Int64[Tensor, " units"]


@dataclass(frozen=True)
class Plan:
    """What stays of a network.

    Attributes:
        blocks: in the order of computation.
        axes: orthonormal directions of the space of item vectors, as columns; `None` keeps all of it as it is.
    """

    blocks: tuple[BlockPlan, ...]
    axes: Float[Tensor, "width kept"] | None = None

    def shape(self, width: int) -> Shape:
        """Of the network that is left, whose item vectors had `width`."""
        kept = width if self.axes is None else self.axes.shape[1]
        blocks = tuple(
            BlockShape(heads=len(one.heads), inner=len(one.units)) for one in self.blocks
        )
        return Shape(width=kept, blocks=blocks)


def plan(importance: Importance, shape: Shape) -> Plan:
    """Keep what matters most, so much as `shape` has room for; of equals the first.

    Args:
        importance: of every part of the network as it is.
        shape: what is to be left.
    """
    numbers = leaders(importance.blocks, len(shape.blocks))
    blocks = [
        BlockPlan(
            number,
            leaders(importance.heads[number], left.heads),
            leaders(importance.units[number], left.inner),
        )
        for number, left in zip(numbers.tolist(), shape.blocks, strict=True)
    ]
    axes = importance.axes
    if shape.width == axes.shape[1]:
        return Plan(tuple(blocks))
    return Plan(tuple(blocks), axes[:, leaders(importance.directions, shape.width)])


def leaders(scores: Float[Tensor, " parts"], count: int) -> Int64[Tensor, " count"]:
    """The places of the `count` greatest, ascending; of equals the first.

    >>> leaders(torch.tensor([1.0, 3.0, 3.0, 2.0, 3.0]), 2)
    tensor([1, 2])
    """
    order = torch.sort(scores, descending=True, stable=True).indices
    return order[:count].sort().values
