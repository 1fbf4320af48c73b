"""Whether a catalogue is worth an index: measured, on the states that the student really has."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from recdistill.bundle.manifest import IndexEntry
from recdistill.bundle.scoring.base import Scorer
from recdistill.bundle.scoring.choice import Index, exact_scorer
from recdistill.bundle.scoring.codes import Codes
from recdistill.bundle.scoring.quick import LISTED, QuickScorer
from recdistill.bundle.table import Table
from recdistill.errors import MissingExtraError

_log = logging.getLogger(__name__)
INDEX_FROM: Final = 50_000
"""Items from which on an index is tried: all of fewer are looked at in less time than it takes to encode a history."""
LEAST_RECALL: Final = 0.99
_PIECES: Final = (2, 1)
_DEPTHS: Final = (100, 200, 400, 800, 1_600)
_ASKED, _TIMED = 500, 60


class Indexed(NamedTuple):
    """An index and what is to be said of it."""

    codes: Codes
    entry: IndexEntry


class _Plan(NamedTuple):
    codes: Codes
    piece: int
    depth: int
    recall: float
    scorer: Scorer


def indexed(table: Table, states: Float32[np.ndarray, "rows width"]) -> Indexed | None:
    """An index that finds what an exact scan finds, and sooner; `None` where none does, or the library is absent.

    Args:
        table: as it leaves.
        states: of histories like those that will be asked about.
    """
    exact, some = exact_scorer(table), states[:_ASKED]
    try:
        plans = _good_enough(table, exact, some)
    except MissingExtraError as error:
        _log.info("No index was tried: %s", error)
        return None
    taken = _milliseconds([exact, *(plan.scorer for plan in plans)], some[:_TIMED])
    if not plans or taken[1:].min() >= taken[0]:
        return None
    fastest = int(taken[1:].argmin())
    chosen = plans[fastest]
    entry = IndexEntry(
        piece=chosen.piece,
        depth=chosen.depth,
        states=len(some),
        recall=round(chosen.recall, 6),
        milliseconds=round(float(taken[1 + fastest]), 3),
        exact_milliseconds=round(float(taken[0]), 3),
    )
    return Indexed(chosen.codes, entry)


def _good_enough(
    table: Table, exact: Scorer, states: Float32[np.ndarray, "rows width"]
) -> list[_Plan]:
    """For each size of pieces, the least depth at which enough is found."""
    wanted = exact.top(states, LISTED)[0]
    plans = list[_Plan]()
    for piece in _PIECES:
        if table.width % piece:
            continue
        codes = Codes.of(table.vectors, piece)
        for depth in _DEPTHS:
            scorer = QuickScorer(*Index(codes, depth), table.rows, exact)
            share = recall(scorer.top(states, LISTED)[0], wanted)
            if share >= LEAST_RECALL:
                plans.append(_Plan(codes, piece, depth, share, scorer))
                break
    return plans


def recall(found: Int64[np.ndarray, "rows k"], wanted: Int64[np.ndarray, "rows k"]) -> float:
    """The mean share of each row of `wanted` that is found; -1 is nothing."""
    there = ((wanted[:, :, None] == found[:, None, :]) & (wanted >= 0)[:, :, None]).any(axis=2)
    return float((there.sum(axis=1) / np.maximum((wanted >= 0).sum(axis=1), 1)).mean())


def _milliseconds(
    scorers: Sequence[Scorer], states: Float32[np.ndarray, "rows width"]
) -> Float64[np.ndarray, " scorers"]:
    """The median time of one state, taken in turns: whatever else the machine does falls on all alike."""
    taken = np.empty((len(scorers), len(states)))
    for row in range(len(states)):
        for place, scorer in enumerate(scorers):
            start = time.perf_counter()
            scorer.top(states[row : row + 1], LISTED)
            taken[place, row] = 1e3 * (time.perf_counter() - start)
    return np.median(taken, axis=1)
