"""Who did what when: one compact table, grouped by user, in time order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32, Int64

from recdistill.data.sequences import Sequences


@dataclass(frozen=True)
class Interactions:
    """Events grouped by dense user id; user `u` owns the slice `offsets[u]:offsets[u + 1]` of every column.

    Within a user, events are in time order; events of the same second keep the order of the log.
    `times` are seconds since 1970 (or ordinals where a log has only an order).
    """

    offsets: Int64[np.ndarray, " users_plus_1"]
    items: Int32[np.ndarray, " events"]
    times: Int64[np.ndarray, " events"]
    ratings: Float32[np.ndarray, " events"] | None = None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def num_users(self) -> int:
        """The number of users, those without events included."""
        return len(self.offsets) - 1

    @property
    def next_ratings(self) -> Float32[np.ndarray, " events"]:
        """What the user gave the item after each event; NaN after the last of a history, and where a log has none."""
        after = np.full(len(self), np.nan, dtype=np.float32)
        if self.ratings is not None:
            after[:-1] = self.ratings[1:]
            after[self.offsets[1:][np.diff(self.offsets) > 0] - 1] = np.nan
        return after

    @property
    def histories(self) -> Sequences:
        """Every user's items, oldest first, without copying."""
        return Sequences.from_offsets(self.items, self.offsets)
