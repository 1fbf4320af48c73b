"""The small tensors that a loss is given instead of logits, and their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int64
from torch import Tensor


@dataclass(frozen=True)
class LeafGradients:
    """The gradients of a loss with respect to everything it asked for, in the order asked."""

    lists: list[tuple[Tensor, Tensor]]
    shared: list[tuple[Tensor, Tensor]]
    normalisers: dict[float, Tensor]
    whole: Tensor | None
    parameters: list[Tensor]


@dataclass
class Leaves:
    """What a loss asked of one chunk, each answer cut off from the graph that made it.

    Beside an answer stands where it came from, in whatever terms the chunk finds it again.
    """

    lists: list[tuple[Int64[Tensor, "positions k"], Float[Tensor, "positions k"]]] = field(
        default_factory=list
    )
    shared: list[tuple[Int64[Tensor, " k"], Float[Tensor, "positions k"]]] = field(
        default_factory=list
    )
    normalisers: dict[float, Float[Tensor, " positions"]] = field(default_factory=dict)
    whole: Float[Tensor, "positions items"] | None = None

    def add_list(
        self, items: Int64[Tensor, "positions k"], values: Float[Tensor, "positions k"]
    ) -> Float[Tensor, "positions k"]:
        """Keep and give a leaf for lists of items; where no gradients are wanted, just give the values."""
        if not torch.is_grad_enabled():
            return values
        self.lists.append((items, _leaf(values)))
        return self.lists[-1][1]

    def add_shared(
        self, items: Int64[Tensor, " k"], values: Float[Tensor, "positions k"]
    ) -> Float[Tensor, "positions k"]:
        """Keep and give a leaf for items shared by all positions."""
        self.shared.append((items, _leaf(values)))
        return self.shared[-1][1]

    def normaliser(
        self, temperature: float, make: Callable[[], Float[Tensor, " positions"]]
    ) -> Float[Tensor, " positions"]:
        """The leaf of a log-normaliser, made at the first request."""
        if temperature not in self.normalisers:
            self.normalisers[temperature] = _leaf(make())
        return self.normalisers[temperature]

    def full(
        self, make: Callable[[], Float[Tensor, "positions items"]]
    ) -> Float[Tensor, "positions items"]:
        """The leaf of the whole rows, made at the first request."""
        if self.whole is None:
            self.whole = _leaf(make())
        return self.whole

    def differentiate(
        self, total: Float[Tensor, ""], parameters: Sequence[Tensor]
    ) -> LeafGradients:
        """Run the loss's own small graph backwards."""
        whole = [] if self.whole is None else [self.whole]
        answers = [leaf for _, leaf in (*self.lists, *self.shared)]
        sources = [*answers, *self.normalisers.values(), *whole, *parameters]
        found = iter(_gradients(total, sources))
        return LeafGradients(
            [(items, next(found)) for items, _ in self.lists],
            [(items, next(found)) for items, _ in self.shared],
            {temperature: next(found) for temperature in self.normalisers},
            next(found) if whole else None,
            list(found),
        )


def _gradients(total: Tensor, sources: list[Tensor]) -> Sequence[Tensor]:
    if not (total.requires_grad and sources):
        return [torch.zeros_like(source) for source in sources]
    return torch.autograd.grad(total, sources, allow_unused=True, materialize_grads=True)


def _leaf(values: Tensor) -> Tensor:
    return values.detach().requires_grad_(torch.is_grad_enabled())
