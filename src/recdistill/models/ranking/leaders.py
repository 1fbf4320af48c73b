"""The best few items of each row, gathered from blocks of scores as they pass by."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from recdistill.models.best import best

PATIENCE = 16
"""How many times `k` challengers of a row may wait before they are compared with its leaders."""


class Leaders:
    """The `k` best items of each row so far; equal scores go to the smaller item id.

    Blocks must come in item order: then an item that only equals a row's last leader comes too late,
    and only scores above it challenge the leaders. There are few, and fewer the longer it goes on, so
    they are picked out of a block and wait; choosing among them is done once for many blocks.
    """

    def __init__(self, rows: int, k: int, device: torch.device | None = None) -> None:
        self._k = k
        self._scores = torch.full((rows, k), -torch.inf, device=device)
        self._items = torch.full((rows, k), -1, dtype=torch.int64, device=device)
        self._waiting: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self._queues = torch.zeros(rows, dtype=torch.int64, device=device)
        self._full = False

    def lists(self) -> tuple[Float32[Tensor, "rows k"], Int64[Tensor, "rows k"]]:
        """Scores and items, best first; `-inf` and -1 where fewer than `k` items were shown."""
        self._choose()
        return self._scores, self._items

    def offer(self, start: int, scores: Float32[Tensor, "rows block"]) -> None:
        """Let a block's items compete; `-inf` is never taken."""
        limits = self._scores[:, -1:]
        if not self._full:
            limits = torch.maximum(limits, _below_the_best(scores, self._k))
        self._enqueue(start, scores, _above(scores, limits))
        if not self._full or int(self._queues.max()) > PATIENCE * self._k:
            self._choose()
            self._full = self._full or bool(self._scores[:, -1].isfinite().all())

    def _enqueue(
        self, start: int, scores: Float32[Tensor, "rows block"], places: Int64[Tensor, " few"]
    ) -> None:
        width = scores.shape[1]
        rows = places // width
        counts = torch.bincount(rows, minlength=len(scores))
        # The places are in the rows' order: a challenger stands behind those of its row before it.
        free = self._queues + counts - counts.cumsum(0)
        columns = torch.arange(len(places), device=places.device) + free[rows]
        items = places - rows * width + start
        self._waiting.append((rows, columns, items, scores.view(-1).index_select(0, places)))
        self._queues += counts

    def _choose(self) -> None:
        if not self._waiting:
            return
        waiting = zip(*self._waiting, strict=True)
        rows, columns, items, scores = (torch.cat(parts) for parts in waiting)
        # Old leaders stand first and have smaller ids, so `best` settles ties with new ones.
        width = self._k + int(self._queues.max())
        places = rows * width + self._k + columns
        everything = self._scores.new_full((len(self._scores), width), -torch.inf)
        everything[:, : self._k] = self._scores
        everything.view(-1)[places] = scores
        names = self._items.new_full(everything.shape, -1)
        names[:, : self._k] = self._items
        names.view(-1)[places] = items
        self._scores, chosen = best(everything, self._k)
        self._items = names.gather(1, chosen)
        self._waiting.clear()
        self._queues.zero_()


def _below_the_best(scores: Float32[Tensor, "rows block"], k: int) -> Float32[Tensor, "rows 1"]:
    """For each row a limit that at least `k` of its scores lie above, and few more: no exact choice.

    The `k`-th best of the maxima of groups of columns, which belong to `k` columns; the next smaller
    float, so that the columns themselves are above. Minus infinity where there are fewer columns.
    """
    while scores.shape[1] >= 8 * k:
        half = scores.shape[1] // 2
        scores = torch.maximum(scores[:, :half], scores[:, half : 2 * half])
    if scores.shape[1] < k:
        return scores.new_full((len(scores), 1), -torch.inf)
    limits = scores.topk(k, dim=1, sorted=False).values.amin(1, keepdim=True)
    return torch.nextafter(limits, torch.full_like(limits, -torch.inf))


def _above(
    scores: Float32[Tensor, "rows block"], limits: Float32[Tensor, "rows 1"]
) -> Int64[Tensor, " few"]:
    """Where scores are above their row's limit, counted along the rows."""
    if scores.device.type == "cpu":  # NumPy finds few among many four times as fast as torch
        return torch.from_numpy(np.flatnonzero(scores.numpy() > limits.numpy()))
    return (scores > limits).view(-1).nonzero()[:, 0]
