"""What a prompt may show of histories: what happened before the cut-off of each, and nothing that came later."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recdistill.data.sequences import Sequences
from recdistill.errors import RecDistillError


def shown(histories: Sequences, at_most: int) -> Iterator[list[int]]:
    """The items of each history, oldest first; every prompt about a history is made of these.

    A history is a slice of an array, and where that is a log, what came next lies right behind it. So only histories
    are shown that were cut to what a prompt shows and copied into an array of their own, of which every item is a part
    of one: `histories.tail(at_most).packed()`.

    Raises:
        RecDistillError: a history is longer, or there are items in reach that belong to none.
    """
    ends = np.concatenate([[0], histories.stops])
    alone = np.array_equal(ends[:-1], histories.starts) and ends[-1] == len(histories.values)
    if not alone or (histories.lengths > at_most).any():
        raise RecDistillError(
            "A prompt would be made of histories that lie among other events, which may be later ones.",
            f"Copy the latest {at_most} items of each first: histories.tail({at_most}).packed().",
        )
    return (histories[row].tolist() for row in range(len(histories)))
