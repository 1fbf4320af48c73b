"""The chunk that full softmax runs on: exponentials in blocks that stay in a core's cache."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.models._chunks import Room
from recdistill.models._leaves import LeafGradients, Leaves
from recdistill.models.products import product

_BLOCK = 512
"""Items a block, a power of two: with a few hundred positions, a block of logits stays in a core's second cache,
where matrix products were seen to run at 90 GFLOP/s instead of 30."""

_LARGEST = 60.0
"""Logits up to this size can be exponentiated in float32 and summed over any catalogue without a
shift, and `log` gives them back to within their own rounding."""


def moderate(states: Float[Tensor, "positions width"], table: Float[Tensor, "items width"]) -> bool:
    """Whether logits are small enough to exponentiate (by Cauchy-Schwarz), on a processor."""
    if states.device.type != "cpu" or states.dtype not in (torch.float32, torch.float64):
        return False
    return bool(_longest(states) * _longest(table) < _LARGEST)


def _longest(vectors: Float[Tensor, "rows width"]) -> Float[Tensor, ""]:
    return torch.linalg.vector_norm(vectors, dim=1).max()


class ExpChunk:
    """All logits of a few positions, where these are moderate: fewer passes than `RawChunk`.

    Only `E = exp(z)` is kept, block by block of items; logits are had back by `log`. With one
    normaliser `log s` of gradient `g`, the gradient of the logits is
    `(g / s) · (E + scattered · s / g)`: the scattering happens in place, and the factor of each row
    is applied to the thin matrices and not to the big one.
    """

    def __init__(self, states: Float[Tensor, "positions width"], room: Room) -> None:
        self._states, self._room, self._leaves = states, room, Leaves()
        self._memory = room.memory[: len(states) * len(room.table)]
        self._sums = states.new_zeros(len(states))
        # exp(z) as 2 ** (z · log2 e): the factor goes to the states, and exp2 takes a quarter of
        # the time of exp.
        scaled = states * math.log2(math.e)
        for part, block in self._blocks():
            torch.exp2(product(scaled, room.table[part]), out=block)
            self._sums += block.sum(1)

    @property
    def items(self) -> int:
        """The size of the catalogue."""
        return len(self._room.table)

    def at(self, items: Int64[Tensor, "positions k"]) -> Float[Tensor, "positions k"]:
        """The logits of a list of items of its own for each position."""
        places = self._places(items)
        # Four times as fast as indexing with the same numbers.
        found = self._memory.index_select(0, places.flatten()).view(places.shape)
        return self._leaves.add_list(places, found.log_())

    def of(self, items: Int64[Tensor, " k"]) -> Float[Tensor, "positions k"]:
        """The logits of the same items for every position."""
        return self.at(items.expand(len(self._states), -1))

    def log_normaliser(self, temperature: float = 1.0) -> Float[Tensor, " positions"]:
        """`log Σ exp(z / temperature)` over the catalogue."""
        return self._leaves.normaliser(temperature, lambda: self._sum(temperature).log())

    def full(self) -> Float[Tensor, "positions items"]:
        """The whole rows."""
        return self._leaves.full(
            lambda: torch.cat([block for _, block in self._blocks()], dim=1).log_()
        )

    def backward(
        self, total: Float[Tensor, ""], parameters: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "positions width"], list[Tensor]]:
        """The gradients of the states and of `parameters`; the table's goes to the room."""
        found = self._leaves.differentiate(total, parameters)
        factors = self._spread(found)
        for places, outer in found.lists:
            values = (outer / factors[:, None]).flatten()
            self._memory.scatter_add_(0, places.flatten(), values)
        return self._multiply_out(factors), found.parameters

    def _spread(self, found: LeafGradients) -> Float[Tensor, " positions"]:
        """Make `E` the gradient of the normalisers and of whole rows, but for the factors it gives.

        A row's factor is `g / s`. Where that (nearly) vanishes it goes into the row itself instead,
        since what is scattered is divided by it.
        """
        outer = found.normalisers.get(1.0)
        factors = torch.zeros_like(self._sums) if outer is None else outer / self._sums
        strength = (factors * self._sums).abs()
        faint = strength <= 1e-4 * strength.max()
        divisors = torch.where(faint, 1.0, factors)
        others = {t: g for t, g in found.normalisers.items() if t != 1.0}
        if others or found.whole is not None or bool(faint.any()):
            rates = torch.where(faint, factors, 1.0)[:, None]
            for part, block in self._blocks():
                more = self._softened(block, others)
                if found.whole is not None:
                    more = more + found.whole[:, part]
                block.mul_(rates).add_(more / divisors[:, None])
        return divisors

    def _softened(
        self, block: Float[Tensor, "positions block"], outers: dict[float, Tensor]
    ) -> Float[Tensor, "positions block"]:
        """The gradient of the normalisers at other temperatures, for one block."""
        total = torch.zeros_like(block)
        for temperature, outer in outers.items():
            value = self._leaves.normalisers[temperature].detach()
            rates = outer / temperature / value.exp()
            total.addcmul_(_root(block, temperature), rates[:, None])
        return total

    def _multiply_out(
        self, factors: Float[Tensor, " positions"]
    ) -> Float[Tensor, "positions width"]:
        scaled = (self._states * factors[:, None]).T.contiguous()
        gradient = torch.zeros_like(self._states)
        for part, block in self._blocks():
            gradient += product(block, self._room.table[part].T)
            self._room.table_gradient[:, part] += product(scaled, block.T)
        return gradient.mul_(factors[:, None])

    def _sum(self, temperature: float) -> Float[Tensor, " positions"]:
        if temperature == 1.0:
            return self._sums
        total = torch.zeros_like(self._sums)
        for _, block in self._blocks():
            total += _root(block, temperature).sum(1)
        return total

    def _blocks(self) -> Iterator[tuple[slice, Float[Tensor, "positions block"]]]:
        """Each block of items with its part of the memory, `[positions, block]` end to end."""
        rows, items = len(self._states), len(self._room.table)
        for start in range(0, items, _BLOCK):
            stop = min(start + _BLOCK, items)
            yield slice(start, stop), self._memory[start * rows : stop * rows].view(rows, -1)

    def _places(self, items: Int64[Tensor, "positions k"]) -> Int64[Tensor, "positions k"]:
        """Where the cells of `items` lie in the memory."""
        rows, catalogue = len(self._states), len(self._room.table)
        within = items & (_BLOCK - 1)
        starts = items - within
        widths = (catalogue - starts).clamp_(max=_BLOCK)
        row = torch.arange(rows, device=items.device)[:, None]
        return within.add_(starts, alpha=rows).add_(widths.mul_(row))


def _root(block: Float[Tensor, "positions block"], temperature: float) -> Tensor:
    """`exp(z / temperature)` from `exp(z)`."""
    return block.sqrt() if temperature == 2.0 else block.pow(1 / temperature)
