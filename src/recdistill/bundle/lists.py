"""Whom a student's lists show: what it makes of a catalogue in which few items have most of the events."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Int64

from recdistill.bundle.manifest import ListsEntry
from recdistill.bundle.runtime import Runtime, no_candidates
from recdistill.data.sequences import Sequences

_K: Final = 10


def lists_of(
    runtime: Runtime, histories: Sequences, events: Int64[np.ndarray, " items"]
) -> ListsEntry:
    """The top tens of `histories`, without what they hold, beside how many training `events` each item has."""
    k = min(_K, runtime.num_items)
    given = runtime.top(histories, k, filter_seen=True, candidates=no_candidates())[0]
    places = np.bincount(given[given >= 0], minlength=len(events))
    head = np.argsort(-events, kind="stable")[: max(len(events) // 10, 1)]
    return ListsEntry(
        histories=len(histories),
        coverage=_share(int((places > 0).sum()), len(events)),
        popular=_share(int(places[head].sum()), int(places.sum())),
        popular_events=_share(int(events[head].sum()), int(events.sum())),
    )


def _share(part: int, whole: int) -> float:
    return round(part / max(whole, 1), 6)
