"""From packed histories to rectangles and back, for networks that know nothing of packing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recdistill.models.transformer import Runs

_SLACK = 1.25
"""A rectangle may be so many times as large as what it holds."""


@dataclass(frozen=True)
class Rectangle:
    """Some runs of like length side by side, padded behind.

    Attributes:
        where: the packed position of each cell; those of padding are some position of the rectangle.
        known: which cells are no padding. Row by row, they are the packed positions in order.
    """

    where: Int64[Tensor, "rows length"]
    known: Bool[Tensor, "rows length"]

    def filled(
        self, values: Float[Tensor, "positions *rest"]
    ) -> Float[Tensor, "rows length *rest"]:
        """The cells' values."""
        return values[self.where]

    def emptied(self, cells: Float[Tensor, "rows length *rest"]) -> Float[Tensor, "some *rest"]:
        """The values of the rectangle's positions, packed again."""
        return cells[self.known]


def rectangles(runs: Runs, device: torch.device) -> Iterator[Rectangle]:
    """The runs in order, several in a rectangle while that wastes little."""
    waiting: list[tuple[int, int, int]] = []
    for run in runs:
        if waiting and _waste([*waiting, run]) > _SLACK:
            yield _rectangle(waiting, device)
            waiting = []
        waiting.append(run)
    if waiting:
        yield _rectangle(waiting, device)


def _waste(runs: list[tuple[int, int, int]]) -> float:
    longest = max(length for _, _, length in runs)
    return (
        longest * sum(rows for _, rows, _ in runs) / sum(rows * length for _, rows, length in runs)
    )


def _rectangle(runs: list[tuple[int, int, int]], device: torch.device) -> Rectangle:
    starts = torch.cat([first + torch.arange(rows) * length for first, rows, length in runs])
    lengths = torch.cat([torch.full((rows,), length) for _, rows, length in runs])
    places = torch.arange(int(lengths.max()))
    known = places < lengths[:, None]
    where = starts[:, None] + torch.minimum(places, lengths[:, None] - 1)
    return Rectangle(where.to(device), known.to(device))
