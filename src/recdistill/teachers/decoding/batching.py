"""As much at a time as fits in memory: batches of like length, halved where memory runs out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Int64

from recdistill.errors import RecDistillError

Result = TypeVar("Result")
Rows = Int64[np.ndarray, " rows"]

_CPU_WORDS = ("not enough memory", "can't allocate memory", "out of memory")
"""How torch says on a processor, in a plain RuntimeError, what has a class of its own on a GPU."""


@dataclass
class Appetite:
    """Attributes:
    tokens: of a batch, padding included; halved for good where memory ran out.
    """

    tokens: int = 8192

    def fed(
        self, lengths: Sequence[int], work: Callable[[Rows], Result]
    ) -> Iterator[tuple[Rows, Result]]:
        """What `work` makes of every row, in batches of rows of like length, the longest first.

        Args:
            lengths: tokens of each row.
            work: takes some rows; it may be called again with fewer of them where memory ran out.

        Raises:
            RecDistillError: there is not enough memory for a single row.
        """
        left = deque(sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)))
        while left:
            size = max(1, self.tokens // max(lengths[left[0]], 1))
            rows = [left[place] for place in range(min(size, len(left)))]
            try:
                result = work(np.array(rows, dtype=np.int64))
            except RuntimeError as error:  # torch's OutOfMemoryError is one too
                self._less(error, len(rows), lengths[rows[0]])
                continue
            for _ in rows:
                left.popleft()
            yield np.array(rows, dtype=np.int64), result

    def _less(self, error: RuntimeError, rows: int, length: int) -> None:
        if not _memory(error):
            raise error
        if rows == 1:
            raise RecDistillError(
                f"One prompt of {length} tokens with its candidates does not fit in memory.",
                "Show the model fewer items (`history`) or candidates, take a smaller model, load it with"
                " `bits: 8`, or `spread` it over several GPUs.",
            ) from error
        self.tokens = max(1, rows * length // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _memory(error: RuntimeError) -> bool:
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return any(word in str(error).lower() for word in _CPU_WORDS)
