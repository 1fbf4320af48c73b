"""Where a chunk's scores come from: products made block by block, or whole rows of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from recdistill.errors import RecDistillError
from recdistill.models.ranking.counting import Block, products, target_scores
from recdistill.models.ranking.leaders import PATIENCE
from recdistill.models.recommender import Recommender

Items = Int64[Tensor, " some_items"] | None
"""Dense ids of the only items that are scored, ascending; `None` for the whole catalogue."""

_LOWEST = torch.finfo(torch.float32).min


class Opened(Protocol):
    """The scores of one chunk of rows; all finite."""

    def of(self, targets: Int64[Tensor, " some_rows"]) -> Float32[Tensor, " some_rows"]:
        """The score of one item for each of the first `len(targets)` rows."""
        ...

    def blocks(self) -> Iterator[Block]:
        """All scores, a block of items at a time, in item order; the taker may overwrite them."""
        ...


class Scores(Protocol):
    """A model that can be asked for the scores of a chunk.

    Attributes:
        rows: how many rows fit the memory.
        device: where the scores are made.
    """

    rows: int
    device: torch.device

    def open(self, states: Float[Tensor, "rows width"]) -> Opened:
        """The scores of these rows."""
        ...


def scores_of(model: Recommender, memory_mb: float, depth: int = 0, items: Items = None) -> Scores:
    """How to ask `model` for scores with about `memory_mb` of memory, for lists of length `depth`."""
    if model.factorised:
        return Products(model, memory_mb, depth, items)
    return Rows(model, memory_mb, items)


class Products:
    """Scores that are `states @ table.T`, made in blocks that stay in the cache."""

    def __init__(self, model: Recommender, memory_mb: float, depth: int, items: Items) -> None:
        table = model.item_table().detach()
        self.table = (table if items is None else table[items]).float().contiguous()
        _require_finite(self.table, "item table")
        self.device = self.table.device
        rows, cells = (512, 1 << 19) if self.device.type == "cpu" else (4096, 1 << 25)
        cells = min(cells, _cells(memory_mb))
        # A block is wider than the lists and all that waits for them: better fewer rows at a time.
        self.rows = max(1, min(rows, cells // max(64, PATIENCE * depth)))
        self._block = max(1, cells // self.rows)

    def open(self, states: Float[Tensor, "rows width"]) -> Opened:
        """The scores of these rows."""
        _require_finite(states, "states")
        return OpenedProducts(states.float().contiguous(), self.table, self._block)


class OpenedProducts:
    """A chunk of `states` against `table`."""

    def __init__(
        self,
        states: Float32[Tensor, "rows width"],
        table: Float32[Tensor, "items width"],
        block: int,
    ) -> None:
        self._states, self._table, self._block = states, table, block

    def of(self, targets: Int64[Tensor, " some_rows"]) -> Float32[Tensor, " some_rows"]:
        """The score of one item for each of the first rows."""
        return target_scores(self._states, self._table, targets)

    def blocks(self) -> Iterator[Block]:
        """The products, `block` items at a time."""
        return products(self._states, self._table, self._block)


class Rows:
    """Scores of a model that is no product: as many whole rows as the memory holds."""

    def __init__(self, model: Recommender, memory_mb: float, items: Items) -> None:
        self._model, self._items = model, items
        self.device = model.item_table().device
        self.rows = max(1, min(256, _cells(memory_mb) // max(len(model.vocabulary), 1)))

    def open(self, states: Float[Tensor, "rows width"]) -> Opened:
        """The scores of these rows."""
        scores = self._model.score(states, self._items).detach().float().contiguous()
        if scores.isnan().any():
            _refuse("scores")
        return OpenedRows(scores.clamp_(_LOWEST, -_LOWEST))


class OpenedRows:
    """A chunk's whole rows."""

    def __init__(self, scores: Float32[Tensor, "rows items"]) -> None:
        self._scores = scores

    def of(self, targets: Int64[Tensor, " some_rows"]) -> Float32[Tensor, " some_rows"]:
        """The score of one item for each of the first rows."""
        return self._scores[: len(targets)].gather(1, targets[:, None])[:, 0]

    def blocks(self) -> Iterator[Block]:
        """All of it at once."""
        yield 0, self._scores


def _cells(memory_mb: float) -> int:
    """How many scores fit, twice: a block and the room to compare it in."""
    return max(1, int(memory_mb * 2**20) // 8)


def _require_finite(values: Float[Tensor, "rows width"], what: str) -> None:
    # The extremes are not finite if anything is not, and take one pass.
    if values.numel() and not torch.stack(torch.aminmax(values)).isfinite().all():
        _refuse(what)


def _refuse(what: str) -> None:
    raise RecDistillError(
        f"There are values that are not finite in the model's {what}, so it cannot be ranked.",
        "Its training probably diverged: try a lower learning rate or a clip norm.",
    )
