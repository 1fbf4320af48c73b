"""Which events stay: duplicates, repeats and the k-core."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Int32

from recdistill.data.events import Events


def distinct(events: Events) -> Bool[np.ndarray, " events"]:
    """Which of grouped events are not an exact repetition (user, item, time) of one before.

    Only events at the same time as a neighbour can be, so only those are looked at.
    """
    keep = np.ones(len(events), dtype=bool)
    tied = events.follows_tie()
    rows = np.flatnonzero(tied | np.append(tied[1:], False))
    group = np.cumsum(~tied[rows])
    keep[rows] = _first_of_pair(group, events.items[rows])
    return keep


def one_of_each(events: Events, which: Literal["first", "last"]) -> Bool[np.ndarray, " events"]:
    """Which of grouped events are the first (or last) of their user with their item."""
    if which == "first":
        return _first_of_pair(events.users, events.items)
    return _first_of_pair(events.users[::-1], events.items[::-1])[::-1]


def core(
    users: Int32[np.ndarray, " events"],
    items: Int32[np.ndarray, " events"],
    min_user_events: int,
    min_item_events: int,
) -> Bool[np.ndarray, " events"]:
    """Which events remain when users and items with too few events are removed until none is left.

    The result is the unique largest set in which everyone has enough, whatever the order of
    removal.
    """
    rows: np.ndarray | None = None
    keep = np.ones(len(users), dtype=bool)
    while True:
        enough = (np.bincount(users) >= min_user_events)[users]
        enough &= (np.bincount(items) >= min_item_events)[items]
        if enough.all():
            break
        rows = np.flatnonzero(enough) if rows is None else rows[enough]
        users, items = users[enough], items[enough]
    if rows is not None:
        keep[:] = False
        keep[rows] = True
    return keep


def _first_of_pair(left: np.ndarray, right: np.ndarray) -> Bool[np.ndarray, " rows"]:
    keep = np.zeros(len(left), dtype=bool)
    width = int(right.max()) + 1 if len(right) else 1
    pairs = left.astype(np.int64) * width + right
    keep[np.unique(pairs, return_index=True)[1]] = True
    return keep
