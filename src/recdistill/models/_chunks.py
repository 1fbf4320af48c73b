"""Chunks of logits: each answers what a loss asks, and folds the loss's gradient back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.models._leaves import LeafGradients, Leaves


class PickedLogits:
    """Only the logits that are asked for, by ordinary autograd; none of the others is made."""

    def __init__(
        self, states: Float[Tensor, "positions width"], table: Float[Tensor, "items width"]
    ) -> None:
        self._states, self._table = states, table

    @property
    def items(self) -> int:
        """The size of the catalogue."""
        return len(self._table)

    def at(self, items: Int64[Tensor, "positions k"]) -> Float[Tensor, "positions k"]:
        """The logits of a list of items of its own for each position."""
        return torch.einsum("pw,pkw->pk", self._states, self._table[items])

    def of(self, items: Int64[Tensor, " k"]) -> Float[Tensor, "positions k"]:
        """The logits of the same items for every position."""
        return self._states @ self._table[items].T

    def full(self) -> Float[Tensor, "positions items"]:
        """The whole rows, for a caller with few positions that wants them all."""
        return self._states @ self._table.T

    def log_normaliser(self, temperature: float = 1.0) -> Float[Tensor, " positions"]:
        """The log-normaliser by way of the whole rows."""
        return torch.logsumexp(self.full() / temperature, dim=1)


_HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Room:
    """What all chunks of one call share: the table, its gradient, and memory to work in.

    `table_gradient` is transposed: adding to `[width, items]` is the fastest layout of the three.
    """

    table: Float[Tensor, "items width"]
    table_gradient: Float[Tensor, "width items"]
    memory: Float[Tensor, " cells"]


class RawChunk:
    """All logits of a few positions as they are: for any size, device and precision of logits."""

    def __init__(self, states: Float[Tensor, "positions width"], room: Room) -> None:
        self._states, self._room, self._leaves = states, room, Leaves()
        logits = states @ room.table.T
        self._logits = logits.float() if logits.dtype in _HALF else logits

    @property
    def items(self) -> int:
        """The size of the catalogue."""
        return len(self._room.table)

    def at(self, items: Int64[Tensor, "positions k"]) -> Float[Tensor, "positions k"]:
        """The logits of a list of items of its own for each position."""
        return self._leaves.add_list(items, self._logits.gather(1, items))

    def of(self, items: Int64[Tensor, " k"]) -> Float[Tensor, "positions k"]:
        """The logits of the same items for every position."""
        return self._leaves.add_shared(items, self._logits.index_select(1, items))

    def log_normaliser(self, temperature: float = 1.0) -> Float[Tensor, " positions"]:
        """`log Σ exp(z / temperature)` over the catalogue."""
        return self._leaves.normaliser(
            temperature, lambda: torch.logsumexp(self._logits / temperature, dim=1)
        )

    def full(self) -> Float[Tensor, "positions items"]:
        """The whole rows."""
        return self._leaves.full(lambda: self._logits)

    def backward(
        self, total: Float[Tensor, ""], parameters: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "positions width"], list[Tensor]]:
        """The gradients of the states and of `parameters`; the table's goes to the room."""
        found = self._leaves.differentiate(total, parameters)
        gradient = self._gradient(found).to(self._states.dtype)
        self._room.table_gradient.addmm_(self._states.T, gradient)
        return gradient @ self._room.table, found.parameters

    def _gradient(self, found: LeafGradients) -> Float[Tensor, "positions items"]:
        total = torch.zeros_like(self._logits) if found.whole is None else found.whole.clone()
        for temperature, outer in found.normalisers.items():
            value = self._leaves.normalisers[temperature].detach()
            share = (self._logits / temperature).sub_(value[:, None]).exp_()
            total.add_(share.mul_((outer / temperature)[:, None]))
        for items, outer in found.lists:
            total.scatter_add_(1, items, outer)
        for items, outer in found.shared:
            total.index_add_(1, items, outer)
        return total
