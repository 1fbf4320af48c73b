"""Logits on request: losses over the catalogue without ever holding `positions × items`.

A loss asks for what it needs (the logits of some items, the log-normaliser, or, rarely, the whole row); only
one chunk of rows exists at a time, and its gradient is folded into the states and the item table before the
next chunk is made. One forward product and two backward products a chunk are all the dense work there is,
however many terms the loss has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.models._chunks import PickedLogits, RawChunk, Room
from recdistill.models._exp_chunk import ExpChunk, moderate


@runtime_checkable
class Logits(Protocol):
    """The logits of a chunk of positions; everything returned is differentiable."""

    @property
    def items(self) -> int:
        """The size of the catalogue."""
        ...

    def at(self, items: Int64[Tensor, "positions k"]) -> Float[Tensor, "positions k"]:
        """The logits of `items`, a list of its own for each position."""
        ...

    def of(self, items: Int64[Tensor, " k"]) -> Float[Tensor, "positions k"]:
        """The logits of the same `items` for every position."""
        ...

    def log_normaliser(self, temperature: float = 1.0) -> Float[Tensor, " positions"]:
        """`log Σ_i exp(z_i / temperature)` over the whole catalogue."""
        ...

    def full(self) -> Float[Tensor, "positions items"]:
        """The whole rows; the dear way, for losses that cannot do with less."""
        ...


LogitLoss = Callable[[Logits, slice], Float[Tensor, " terms"]]
"""A loss of the positions in a slice of the batch: one weighted sum (not mean) for each term."""


def chunked(
    states: Float[Tensor, "positions width"],
    table: Float[Tensor, "items width"],
    loss: LogitLoss,
    parameters: Sequence[Tensor] = (),
    *,
    dense: bool = True,
    chunk_bytes: int = 32 << 20,
) -> tuple[Float[Tensor, ""], Float[Tensor, " terms"]]:
    """Sum `loss` over chunks of positions, computing its gradients on the way.

    Args:
        states: what the model says at each position.
        table: the item table; `logits = states @ table.T`.
        loss: called once for each chunk, with gradients enabled.
        parameters: further tensors that the loss depends on; those that want gradients get them.
        dense: whether a chunk's logits are made at once (needed by `log_normaliser` and `full`); otherwise
            only the logits asked for are computed.
        chunk_bytes: how large a chunk's logits may be.

    Returns:
        The total, through which gradients flow to `states`, `table` and `parameters`, and the detached
        value of each term.
    """
    if not dense or not len(states):
        terms = loss(PickedLogits(states, table), slice(0, len(states)))
        return terms.sum(), terms.detach()
    learned = tuple(parameter for parameter in parameters if parameter.requires_grad)
    plan = _Plan(loss, learned, chunk_bytes, torch.is_grad_enabled())
    total, terms = _Chunked.apply(plan, states, table, *learned)
    return cast(Tensor, total), cast(Tensor, terms)


@dataclass(frozen=True)
class _Plan:
    loss: LogitLoss
    parameters: tuple[Tensor, ...]
    chunk_bytes: int
    with_gradients: bool

    def slices(self, states: Tensor, table: Tensor) -> list[slice]:
        """Cut the positions so that a chunk's logits fit, into chunks of about the same size."""
        most = max(1, self.chunk_bytes // (len(table) * states.element_size()))
        chunks = -(-len(states) // most)
        rows = -(-len(states) // chunks)
        return [
            slice(start, min(start + rows, len(states))) for start in range(0, len(states), rows)
        ]


class _Chunked(torch.autograd.Function):
    """Gradients are made in the forward pass, chunk by chunk; the backward pass only scales them."""

    @staticmethod
    def forward(
        ctx: Any, plan: _Plan, states: Tensor, table: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        states, table = states.detach(), table.detach()
        into_states = torch.empty_like(states)
        into_parameters = [torch.zeros_like(parameter) for parameter in parameters]
        slices, fast = plan.slices(states, table), moderate(states, table)
        rows = slices[0].stop if fast else 0
        room = Room(table, torch.zeros_like(table.T), states.new_empty(rows * len(table)))
        sums: list[Tensor] = []
        for part in slices:
            chunk = ExpChunk(states[part], room) if fast else RawChunk(states[part], room)
            with torch.set_grad_enabled(plan.with_gradients):
                terms = plan.loss(chunk, part)
                total = terms.sum()
            sums.append(terms.detach())
            if plan.with_gradients:
                into_states[part], found = chunk.backward(total, plan.parameters)
                for gradient, more in zip(into_parameters, found, strict=True):
                    gradient += more
        ctx.gradients = (into_states, room.table_gradient.T, *into_parameters)
        terms = torch.stack(sums).sum(0)
        ctx.mark_non_differentiable(terms)
        return terms.sum(), terms

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *(gradient * outer[0] for gradient in ctx.gradients))
