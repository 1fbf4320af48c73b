"""Large weights matter: the norm of what would go with a part (for filters: Li et al. 2017)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from recdistill.compression.importance.contract import Importance, blocks_of, singular
from recdistill.models.sasrec import SASRec
from recdistill.models.transformer import Block


@torch.no_grad()
def magnitude(student: SASRec) -> Importance:
    """The Euclidean norm of all weights that belong to a part alone; of a direction, its singular value."""
    blocks = blocks_of(student)
    values, axes = singular(student.item_table())
    return Importance(
        torch.stack([_norm(torch.cat([one.flatten() for one in b.parameters()])) for b in blocks]),
        [_heads(block) for block in blocks],
        [_units(block) for block in blocks],
        axes,
        values,
    )


def _heads(block: Block) -> Float[Tensor, " heads"]:
    """Its rows of queries, keys and values, and its columns of the way out."""
    attention = block.attention
    inward = torch.cat((attention.inward.weight, attention.inward.bias[:, None]), dim=1)
    inward = inward.unflatten(0, (3, attention.heads, -1)).square().sum((0, 2, 3))
    outward = attention.outward.weight.unflatten(1, (attention.heads, -1)).square().sum((0, 2))
    return (inward + outward).sqrt()


def _units(block: Block) -> Float[Tensor, " units"]:
    """Its row of the way in, and its column of the way out."""
    inward = block.widen.weight.square().sum(1) + block.widen.bias.square()
    return (inward + block.narrow.weight.square().sum(0)).sqrt()


def _norm(values: Tensor) -> Tensor:
    return values.square().sum().sqrt()
