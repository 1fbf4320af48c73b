"""Which scorer a table gets: all give the same answer, so the size decides."""

from __future__ import annotations

from typing import Final

from recdistill.bundle.scoring.base import Scorer
from recdistill.bundle.scoring.exact import exact
from recdistill.bundle.scoring.int8_scan import int8_scan
from recdistill.bundle.table import Table

SCAN_FROM: Final = 8_192
"""Items from which on scanning whole numbers is faster (benchmarks/serving.py; width 64, one thread)."""


def scorer_for(table: Table, threads: int = 1) -> Scorer:
    """The fastest scorer for a table; `threads` compute one product."""
    if len(table) < SCAN_FROM:
        return exact(table.vectors)
    return int8_scan(table.rows, len(table), threads)
