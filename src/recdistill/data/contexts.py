"""What a teacher is asked about, and the key under which its answer is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt64

from recdistill.data.sequences import Sequences

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, hence invertible modulo 2**64
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 2**64))


@dataclass(frozen=True)
class Contexts:
    """Histories a teacher speaks about, each with its key.

    The key is a hash of the items of the history in order and of nothing else, so the same history
    has the same key in training, validation and serving, whoever's it is and wherever it stands in
    a file.
    """

    histories: Sequences
    keys: UInt64[np.ndarray, " rows"]

    @classmethod
    def of(cls, histories: Sequences, item_keys: UInt64[np.ndarray, " items"]) -> Contexts:
        """Contexts of `histories`; `item_keys` holds a 64-bit hash of each item's raw id."""
        return cls(histories, history_keys(histories, item_keys))

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: Int64[np.ndarray, " chosen"] | slice) -> Contexts:
        """The chosen contexts, in the order given."""
        return Contexts(self.histories.take(rows), self.keys[rows])

    def distinct(self) -> Contexts:
        """One context for each key, in the order of first occurrence."""
        _, first = np.unique(self.keys, return_index=True)
        return self.take(np.sort(first).astype(np.int64))


def history_keys(
    histories: Sequences, item_keys: UInt64[np.ndarray, " items"]
) -> UInt64[np.ndarray, " rows"]:
    """Order-sensitive 64-bit keys of many slices of one array, in time linear in the array.

    A polynomial hash `Σ key(item_j) · m^(stop - j)` modulo 2**64, taken as the difference of
    two prefix sums so that a million prefixes cost one pass, then mixed with the length (splitmix64
    finaliser).
    """
    count = len(histories.values)
    with np.errstate(over="ignore"):
        powers = _powers(_MULTIPLIER, count + 1)
        terms = item_keys[histories.values] * _powers(_INVERSE, count)
        prefix = np.zeros(count + 1, dtype=np.uint64)
        np.cumsum(terms, out=prefix[1:])
        raw = (prefix[histories.stops] - prefix[histories.starts]) * powers[histories.stops]
        return mix(raw ^ mix(histories.lengths.astype(np.uint64)))


def mix(values: UInt64[np.ndarray, "*shape"]) -> UInt64[np.ndarray, "*shape"]:
    """The splitmix64 finaliser (Steele et al. 2014): a bijection that spreads every input bit."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


def _powers(base: np.uint64, count: int) -> UInt64[np.ndarray, " count"]:
    powers = np.full(count, base, dtype=np.uint64)
    powers[:1] = 1
    return np.cumprod(powers, dtype=np.uint64)
