"""What goes on inside a sequence model while it encodes: watched from outside, at no cost when nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recdistill.models.transformer import Block, Mixing


@dataclass(frozen=True)
class Anatomy:
    """What a model is made of, as far as others compare themselves with it.

    Attributes:
        blocks: how many transformer blocks; 0 for a model without.
        width: of its hidden states.
        heads: of its attention.
    """

    blocks: int
    width: int
    heads: int

    @classmethod
    def of(cls, network: nn.Module) -> Anatomy:
        """The anatomy of `network`."""
        if isinstance(network, Watchable):
            return network.anatomy
        blocks = [part for part in network.modules() if isinstance(part, Block)]
        if not blocks:
            return cls(0, 0, 0)
        return cls(len(blocks), blocks[0].narrow.out_features, blocks[0].attention.heads)


@dataclass(frozen=True)
class Internals:
    """What was seen, block by block, in the order of computation; gradients flow.

    Attributes:
        hidden: what each block gave.
        parts: the queries, keys and values of each block's attention, rotary angles applied.
    """

    hidden: list[Float[Tensor, "positions width"]] = field(default_factory=list)
    parts: list[Float[Tensor, "positions 3 heads depth"]] = field(default_factory=list)

    def detached(self) -> Internals:
        """The same, through which no gradient flows."""
        return Internals(
            [one.detach() for one in self.hidden], [one.detach() for one in self.parts]
        )


@runtime_checkable
class Watchable(Protocol):
    """A network that is not made of our blocks, and shows its inside itself."""

    @property
    def anatomy(self) -> Anatomy:
        """What it is made of."""
        ...

    def watch(self, seen: Internals) -> Sequence[Callable[[], None]]:
        """Note in `seen` what goes on at the next pass; returns what ends it."""
        ...


def precise(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The same in single precision at least: half precision cannot tell small differences."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


@contextmanager
def watched(network: nn.Module) -> Generator[Internals]:
    """Collect the internals of whatever `network` encodes inside the block (one call of `encode`)."""
    seen = Internals()
    ends = network.watch(seen) if isinstance(network, Watchable) else _watch(network, seen)
    try:
        yield seen
    finally:
        for end in ends:
            end()


def _watch(network: nn.Module, seen: Internals) -> list[Callable[[], None]]:
    """Hooks on every block and on what mixes in its attention."""

    def gave(_: nn.Module, given: tuple[Any, ...], hidden: Tensor) -> None:
        seen.hidden.append(hidden)

    def got(_: nn.Module, given: tuple[Any, ...]) -> None:
        seen.parts.append(given[0])

    return [
        (
            part.register_forward_hook(gave)
            if isinstance(part, Block)
            else part.register_forward_pre_hook(got)
        ).remove
        for part in network.modules()
        if isinstance(part, Block | Mixing)
    ]
