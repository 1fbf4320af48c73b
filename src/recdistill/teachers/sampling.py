"""A fixed sample of contexts, chosen by what they are: who may not be asked about all of them is asked about these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, UInt64

from recdistill.data.contexts import history_keys, mix
from recdistill.data.sequences import Sequences

_LOOKS_AT = 3
"""So many of the latest items decide: a history that was trimmed is chosen where the whole one is."""


@dataclass(frozen=True)
class Sampled:
    """Contexts whose keys are small.

    Attributes:
        below: those with a smaller key are chosen; all when `None`.
    """

    below: np.uint64 | None = None

    @classmethod
    def all(cls) -> Self:
        """Every context."""
        return cls()

    @property
    def whole(self) -> bool:
        """Whether every context is chosen."""
        return self.below is None

    def narrowed(self, keys: UInt64[np.ndarray, " rows"], at_most: int) -> Sampled:
        """The same choice, or a narrower one that holds no more than `at_most` of `keys`."""
        if len(keys) <= at_most:
            return self
        edge = np.sort(keys)[at_most]
        return Sampled(edge if self.below is None else min(edge, self.below))

    def of(self, keys: UInt64[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
        """Which of `keys` are chosen."""
        if self.below is None:
            return np.ones(len(keys), dtype=np.bool_)
        return keys < self.below


def keys(
    histories: Sequences, item_keys: UInt64[np.ndarray, " items"]
) -> UInt64[np.ndarray, " rows"]:
    """A number for each history that has nothing to do with it but that equal ones have equal numbers."""
    return mix(history_keys(histories.tail(_LOOKS_AT).packed(), item_keys))
