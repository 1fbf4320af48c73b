"""Numbers of a few bits: a row is whole numbers times a scale of its own, symmetric about zero.

    q = round(v / s),  s = max |v| / (2^(bits−1) − 1)

Symmetric, so that a product of two rows is a product of whole numbers times two scales. Nothing is clipped: the
largest of a row is on the grid, so rounding twice is rounding once.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

from recdistill.compression.settings import Quantising
from recdistill.models.item_encoders import IdItems


@dataclass(frozen=True)
class Quantised:
    """A table in few bits.

    Attributes:
        values: whole numbers from −(2^(bits−1) − 1) on, so that there is none without its negative.
        scales: of each row; 1 where the row is zero.
    """

    values: Int8[Tensor, "rows width"]
    scales: Float[Tensor, " rows"]

    @property
    def table(self) -> Float[Tensor, "rows width"]:
        """The numbers that are meant."""
        return self.values.to(self.scales.dtype) * self.scales[:, None]


def quantised(table: Float[Tensor, "rows width"], bits: int = 8) -> Quantised:
    """The nearest of `bits` bits (at most 8) to each row; halves go to the even neighbour."""
    most = 2 ** (bits - 1) - 1
    scales = table.abs().amax(1) / most
    scales = torch.where(scales > 0, scales, torch.ones_like(scales))
    values = (table / scales[:, None]).round().clamp(-most, most)
    return Quantised(values.to(torch.int8), scales)


def rounded(table: Float[Tensor, "rows width"], bits: int) -> Float[Tensor, "rows width"]:
    """`table` as it is stored in `bits` bits; gradients pass as if it were not (Bengio et al. 2013)."""
    near = quantised(table.detach(), bits).table
    return table + (near - table).detach()


@contextmanager
def rounding(items: nn.Module, wanted: Quantising) -> Generator[None]:
    """Inside the block, `items` gives its table as it will be stored; after it, free vectors are such a table."""

    def round_off(_: nn.Module, given: tuple[Any, ...], table: Tensor) -> Tensor:
        return rounded(table, wanted.bits)

    end = items.register_forward_hook(round_off)
    try:
        yield
    finally:
        end.remove()
        if isinstance(items, IdItems):
            with torch.no_grad():
                items.vectors.copy_(quantised(items.vectors, wanted.bits).table)
