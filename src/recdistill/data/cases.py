"""From windows of events to questions with known answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from recdistill.data.contexts import mix
from recdistill.data.events import Events
from recdistill.data.sequences import Sequences


@dataclass(frozen=True)
class Cases:
    """Questions with known answers: after `histories[c]`, user `users[c]` chose `targets[c]`.

    Attributes:
        users: dense ids.
        histories: what came before.
        targets: what came next.
        ratings: what the user gave the only target; `None` where nobody knows.
    """

    users: Int32[np.ndarray, " cases"]
    histories: Sequences
    targets: Sequences
    ratings: Float32[np.ndarray, " cases"] | None = None

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: Int64[np.ndarray, " chosen"] | slice) -> Cases:
        """The chosen cases, in the order given."""
        ratings = None if self.ratings is None else self.ratings[rows]
        return Cases(self.users[rows], self.histories.take(rows), self.targets.take(rows), ratings)


def ask(
    earlier: Events,
    window: Events,
    target: Literal["successive", "last"],
    min_history: int = 1,
) -> tuple[Cases, int]:
    """Make a case of each event of `window` (`successive`), or of each user's last one (`last`).

    A case's history is everything of the user before it: of `earlier`, and of `window` up to the
    event. All histories and targets are slices of one array, which holds what these users have in
    `earlier` and in `window` and nothing else.

    Args:
        earlier: grouped events from before the window.
        window: grouped events.
        target: which events are asked for.
        min_history: cases with a shorter history are left out.

    Returns:
        The cases in user order, and how many were left out.
    """
    before = histories_before(earlier, window)
    asked = np.ones(len(window), dtype=bool) if target == "successive" else _last(window.users)
    enough = before[asked] >= min_history
    items, places = _woven(earlier, window)
    places = places[asked][enough]
    users, lengths = window.users[asked][enough], before[asked][enough]
    ratings = None if window.ratings is None else window.ratings[asked][enough]
    cases = Cases(
        users,
        Sequences(items, places - lengths, places),
        Sequences(items, places, places + 1),
        ratings,
    )
    return cases, int(len(enough) - np.count_nonzero(enough))


def count_cases(
    earlier: Events, window: Events, target: Literal["successive", "last"], min_history: int
) -> tuple[int, int]:
    """How many cases `ask` would make and how many it would leave out."""
    before = histories_before(earlier, window)
    if target == "last":
        before = before[_last(window.users)]
    made = int(np.count_nonzero(before >= min_history))
    return made, len(before) - made


def histories_before(earlier: Events, window: Events) -> Int64[np.ndarray, " window"]:
    """For each event of a grouped window, how many events of its user come before it."""
    first = np.flatnonzero(np.append(True, window.users[1:] != window.users[:-1]))
    first = first[: len(window)]
    lengths = np.diff(np.append(first, len(window)))
    within = np.arange(len(window), dtype=np.int64) - np.repeat(first, lengths)
    return within + np.bincount(earlier.users, minlength=_num_users(window))[window.users]


def _num_users(window: Events) -> int:
    return int(window.users[-1]) + 1 if len(window) else 0


def _woven(
    earlier: Events, window: Events
) -> tuple[Int32[np.ndarray, " events"], Int64[np.ndarray, " window"]]:
    """What the window's users did, in one array, and where the window's events lie in it."""
    present, counts = np.unique(window.users, return_counts=True)
    stops = np.searchsorted(earlier.users, present, side="right")
    starts = np.searchsorted(earlier.users, present, side="left")
    known = Sequences(earlier.items, starts.astype(np.int64), stops.astype(np.int64))
    # A user's block is what is known of him, then his part of the window.
    sizes = known.lengths + counts
    window_starts = np.cumsum(sizes) - counts
    within = np.arange(len(window), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.repeat(window_starts, counts) + within
    items = np.empty(int(sizes.sum()), dtype=np.int32)
    is_known = np.ones(len(items), dtype=bool)
    is_known[places] = False
    items[places] = window.items
    items[is_known] = earlier.items[known.places()]
    return items, places


def _last(users: Int32[np.ndarray, " events"]) -> Bool[np.ndarray, " events"]:
    last = np.ones(len(users), dtype=bool)
    last[:-1] = users[1:] != users[:-1]
    return last


def sample(cases: Cases, at_most: int) -> Int64[np.ndarray, " chosen"]:
    """Rows of at most `at_most` cases: all, or a random choice that no library version changes."""
    rows = np.arange(len(cases), dtype=np.int64)
    if len(rows) <= at_most:
        return rows
    order = np.argsort(mix(rows.astype(np.uint64)), kind="stable")
    return np.sort(order[:at_most])
