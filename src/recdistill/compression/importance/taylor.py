"""What the loss would notice: the first term of its Taylor series where a part is switched off.

    I = mean over batches of (∂L/∂g)²        g = 1 a gate on what the part gives

Molchanov et al. 2019, "Importance estimation for neural network pruning", equation 8, with gates as for heads in
Michel et al. 2019, "Are sixteen heads really better than one?". What a gate scales goes through a linear map next, so
∂L/∂g = Σ w · ∂L/∂w over the weights by which the part speaks: one backward pass a batch tells about all parts.
The mean of squares and not the square of the mean: at the end of a training gradients sum to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recdistill.compression.importance.contract import Evidence, Importance, blocks_of, singular
from recdistill.models.sasrec import SASRec
from recdistill.models.transformer import Block


def taylor(student: SASRec, evidence: Evidence) -> Importance:
    """The mean square of each gate's derivative over the batches of `evidence`."""
    axes = singular(student.item_table())[1]
    blocks = blocks_of(student)
    found: list[tuple[Tensor, ...]] = []
    for gradients in slopes(student.network, evidence):
        by_block = [_gates(block, gradients) for block in blocks]
        found.append(
            (
                torch.stack([one[0] for one in by_block]),
                *(heads for _, heads, _ in by_block),
                *(units for _, _, units in by_block),
                _directions(student, axes, gradients),
            )
        )
    whole, *parts = (torch.stack(several).square().mean(0) for several in zip(*found, strict=True))
    count = len(blocks)
    return Importance(whole, parts[:count], parts[count : 2 * count], axes, parts[-1])


Slopes = dict[Tensor, Tensor]
"""The gradient of each parameter."""


def slopes(network: nn.Module, evidence: Evidence) -> Iterator[Slopes]:
    """The gradients of the loss, batch by batch, in evaluation mode; the network's own are as they were afterwards."""
    training, kept = network.training, [one.grad for one in network.parameters()]
    network.eval()
    try:
        for batch in evidence.batches:
            network.zero_grad(set_to_none=True)
            evidence.loss(batch).backward()
            yield {
                one: torch.zeros_like(one) if one.grad is None else one.grad.detach()
                for one in network.parameters()
            }
    finally:
        for one, before in zip(network.parameters(), kept, strict=True):
            one.grad = before
        network.train(training)


@torch.no_grad()
def _gates(block: Block, gradients: Slopes) -> tuple[Tensor, Tensor, Tensor]:
    """The derivatives by the gates of a whole block, of its heads, and of its units."""
    outward, narrow = block.attention.outward, block.narrow
    heads = _columns(outward, gradients).unflatten(0, (block.attention.heads, -1)).sum(1)
    units = _columns(narrow, gradients)
    biases = [(one.bias * gradients[one.bias]).sum() for one in (outward, narrow)]
    return heads.sum() + units.sum() + sum(biases), heads, units


def _columns(layer: nn.Linear, gradients: Slopes) -> Float[Tensor, " inward"]:
    return (layer.weight * gradients[layer.weight]).sum(0)


@torch.no_grad()
def _directions(
    student: SASRec, axes: Float[Tensor, "width axes"], gradients: Slopes
) -> Float[Tensor, " axes"]:
    """With the table T = Σ (T v)vᵀ over axes v, the derivative by the gate of an axis is Σ_i (T_i v)(∂L/∂T_i v)."""
    vectors = getattr(student.network.items, "vectors", None)
    if vectors is None:  # items that are made of features keep their width
        return torch.zeros(axes.shape[1], device=axes.device, dtype=axes.dtype)
    return ((vectors @ axes) * (gradients[vectors] @ axes)).sum(0)
