"""What criteria look at, and what they find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from recdistill.models.sasrec import SASRec
from recdistill.models.transformer import Block
from recdistill.training.step import TorchBatch


@dataclass(frozen=True)
class Evidence:
    """What is known of a student beside its weights.

    Attributes:
        batches: what it sees.
        loss: what it is about to lower, the mean over a batch; gradients flow.
    """

    batches: Sequence[TorchBatch]
    loss: Callable[[TorchBatch], Float[Tensor, ""]]


@dataclass(frozen=True)
class Importance:
    """How much each part matters; comparable among parts of one kind in one block, and among blocks.

    Attributes:
        blocks: each block as a whole.
        heads: the attention heads of each block.
        units: the feed-forward units of each block.
        axes: orthonormal directions of the space of item vectors, as columns: the right singular vectors of the table.
        directions: each of these.
    """

    blocks: Float[Tensor, " blocks"]
    heads: list[Float[Tensor, " heads"]]
    units: list[Float[Tensor, " units"]]
    axes: Float[Tensor, "width axes"]
    directions: Float[Tensor, " axes"]


def blocks_of(student: SASRec) -> list[Block]:
    """In the order of computation."""
    return [cast("Block", one) for one in student.network.blocks]


def singular(
    table: Float[Tensor, "items width"],
) -> tuple[Float[Tensor, " width"], Float[Tensor, "width width"]]:
    """Singular values and right singular vectors (columns) of an item table, the greatest first.

    From the eigenvectors of the table's Gram matrix in float64, however many items there are. What is left of a
    table in the first r of them is the nearest of rank r (Eckart & Young 1936). The entry of largest magnitude of
    each vector is positive, so that equal tables give equal vectors everywhere.
    """
    exact = table.detach().double()
    values, vectors = torch.linalg.eigh(exact.T @ exact)
    vectors = vectors.flip(1)
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    signed = vectors * torch.where(largest < 0, -1.0, 1.0)
    return values.flip(0).clamp_min(0).sqrt().to(table.dtype), signed.to(table.dtype)
