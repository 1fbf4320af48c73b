"""The distinct texts of a catalogue, and a log told in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from recdistill.data.sequences import Sequences


@dataclass(frozen=True)
class Library:
    """Items that read the same are the same to whoever reads.

    Attributes:
        texts: each distinct one once, in the order of the first item that has it.
        of_item: the number of each item's text; -1 for an item without.
    """

    texts: list[str]
    of_item: Int64[np.ndarray, " items"]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Library:
        """Of one text an item, empty for an item without."""
        numbers = {text: number for number, text in enumerate(dict.fromkeys(filter(None, texts)))}
        of_item = np.array([numbers.get(text, -1) for text in texts], dtype=np.int64)
        return cls(list(numbers), of_item)

    def told(self, histories: Sequences) -> Sequences:
        """Histories as numbers of texts; items without text are left out."""
        packed = histories.packed()
        found = self.of_item[packed.values]
        kept = np.append(0, np.cumsum(found >= 0)).astype(np.int64)
        values = found[found >= 0].astype(np.int32)
        return Sequences(values, kept[packed.starts], kept[packed.stops])

    def table(
        self, vectors: Float32[np.ndarray, "texts width"]
    ) -> Float32[np.ndarray, "items width"]:
        """The vector of each item's text; zeros for an item without."""
        rows = vectors[self.of_item]
        rows[self.of_item < 0] = 0
        return rows
