"""Which scorer a table gets: the size decides, and, where there is one, the index."""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

from recdistill.bundle.scoring.base import Scorer
from recdistill.bundle.scoring.codes import Codes
from recdistill.bundle.scoring.exact import exact
from recdistill.bundle.scoring.int8_scan import int8_scan
from recdistill.bundle.scoring.quick import QuickScorer
from recdistill.bundle.table import Table
from recdistill.errors import MissingExtraError

_log = logging.getLogger(__name__)
SCAN_FROM: Final = 8_192
"""Items from which on scanning whole numbers is faster (benchmarks/serving.py; width 64, one thread)."""


class Index(NamedTuple):
    """Codes of a table, and how many items that they give are scored again."""

    codes: Codes
    depth: int


def scorer_for(table: Table, threads: int = 1, index: Index | None = None) -> Scorer:
    """The fastest scorer for a table; `threads` compute one product. All but an `index` give the same answer."""
    scorer = exact_scorer(table, threads)
    if index is None:
        return scorer
    try:
        return QuickScorer(*index, table.rows, scorer)
    except MissingExtraError as error:
        # Every answer can be had without it, and none is worse.
        _log.warning("The bundle's index is not used, and every item looked at: %s", error)
        return scorer


def exact_scorer(table: Table, threads: int = 1) -> Scorer:
    """The fastest scorer that looks at every item."""
    if len(table) < SCAN_FROM:
        return exact(table.vectors)
    return int8_scan(table.rows, len(table), threads)
