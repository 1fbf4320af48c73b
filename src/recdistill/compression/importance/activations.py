"""What a part has to say: the mean square of what it adds, over what students see.

Weights times the norm of what meets them, as Wanda (Sun et al. 2024) does for single weights; for blocks, how much
they turn what passes through (the block influence of ShortGPT: Men et al. 2024).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recdistill.compression.importance.contract import Evidence, Importance, blocks_of, singular
from recdistill.models.sasrec import SASRec
from recdistill.models.transformer import Block


@dataclass
class Sums:
    """Of one block, over the positions seen so far."""

    turned: list[Tensor] = field(default_factory=list[Tensor])
    heads: list[Tensor] = field(default_factory=list[Tensor])
    units: list[Tensor] = field(default_factory=list[Tensor])


@torch.no_grad()
def activations(student: SASRec, evidence: Evidence) -> Importance:
    """The mean square of what heads, units and directions add, over positions; blocks by 1 − cos(before, after)."""
    network, training = student.network, student.network.training
    values, axes = singular(student.item_table())
    seen, said, count = [Sums() for _ in blocks_of(student)], torch.zeros_like(values), 0
    network.eval()
    with _listening(blocks_of(student), seen):
        for batch in evidence.batches:
            said += (student.encode(batch) @ axes).square().sum(0)
            count += len(batch)
    network.train(training)
    return Importance(
        torch.stack([_total(one.turned) / count for one in seen]),
        [_total(one.heads) / count for one in seen],
        [_total(one.units) / count for one in seen],
        axes,
        values.square() * said / count,
    )


def _total(several: list[Tensor]) -> Tensor:
    return torch.stack(several).sum(0)


@contextmanager
def _listening(blocks: list[Block], seen: list[Sums]) -> Generator[None]:
    ends = [end for block, one in zip(blocks, seen, strict=True) for end in _ears(block, one)]
    try:
        yield
    finally:
        for end in ends:
            end.remove()


def _ears(block: Block, seen: Sums) -> list[torch.utils.hooks.RemovableHandle]:
    def passed(_: nn.Module, given: tuple[Any, ...], after: Tensor) -> None:
        alike = torch.nn.functional.cosine_similarity(given[0], after, dim=1)
        seen.turned.append((1 - alike).sum())

    def mixed(_: nn.Module, given: tuple[Any, ...], found: Tensor) -> None:
        seen.heads.append(spoken(found, block.attention.outward, block.attention.heads))

    def normed(_: nn.Module, given: tuple[Any, ...], found: Tensor) -> None:
        inner = torch.nn.functional.gelu(block.widen(found))
        seen.units.append(inner.square().sum(0) * block.narrow.weight.square().sum(0))

    return [
        block.register_forward_hook(passed),
        block.attention.mixing.register_forward_hook(mixed),
        block.feed_norm.register_forward_hook(normed),
    ]


def spoken(
    mixed: Float[Tensor, "positions mixed"], outward: nn.Linear, heads: int
) -> Float[Tensor, " heads"]:
    """Σ over positions of |W_h m_h|², what each head adds: by Gram matrices, so that no head is written out."""
    weights = outward.weight.unflatten(1, (heads, -1))
    parts = mixed.unflatten(1, (heads, -1))
    given = torch.einsum("phd,phe->hde", parts, parts)
    taken = torch.einsum("whd,whe->hde", weights, weights)
    return (given * taken).sum((1, 2))
