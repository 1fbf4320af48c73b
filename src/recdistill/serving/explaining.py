"""Why an item stands in a list: what its score loses when an event of the history had not been (leave one out)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64

from recdistill.bundle.runtime import Runtime
from recdistill.data.sequences import Sequences
from recdistill.serving.catalogue import Catalogue
from recdistill.serving.messages import Reason

_REASONS = 3
"""Given for an item."""


def leave_one_out(
    runtime: Runtime, history: list[int], items: list[int]
) -> Float32[np.ndarray, "places items"]:
    """How much each item's score falls without each event of the history; negative where the event spoke against it.

    Exact for what it says (the model is asked again, once for each event), and blind to events that can stand in for
    each other: of two alike, neither may seem to matter.

    Args:
        runtime: of the student; one pass over `len(history) + 1` histories.
        history: dense ids, oldest first.
        items: dense ids.
    """
    without = [history[:place] + history[place + 1 :] for place in range(len(history))]
    scores = _scores(runtime, [history, *without], items)
    return scores[0] - scores[1:]


def reasons(
    runtime: Runtime, catalogue: Catalogue, history: list[int], items: list[int], sight: int
) -> list[list[Reason]]:
    """For each item, the events of the latest `sight` of a history that raise its score most."""
    seen = history[-sight:]
    if not seen or not items:
        return [[] for _ in items]
    gains = leave_one_out(runtime, seen, items)
    return [
        [
            Reason(catalogue.raw(seen[place]), float(gain[place]), catalogue.title(seen[place]))
            for place in np.argsort(-gain, kind="stable")[:_REASONS].tolist()
            if gain[place] > 0
        ]
        for gain in gains.T
    ]


def _scores(
    runtime: Runtime, histories: list[list[int]], items: list[int]
) -> Float32[np.ndarray, "histories items"]:
    """The score of each item after each history."""
    candidates: Int64[np.ndarray, " items"] = np.unique(np.array(items, dtype=np.int64))
    rows = Sequences.from_lists(histories)
    found, values = runtime.top(rows, len(candidates), filter_seen=False, candidates=candidates)
    sorted_by_item = np.take_along_axis(values, np.argsort(found, axis=1), axis=1)
    return sorted_by_item[:, np.searchsorted(candidates, np.array(items, dtype=np.int64))]
