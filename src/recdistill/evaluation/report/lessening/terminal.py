"""Smaller forms for a terminal: a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recdistill.evaluation.report.lessening.tables import everything


def table(content: Mapping[str, Any]) -> str:
    """Name, quality, change with its interval, sizes, times, and what is said of it."""
    found = everything(content)
    rows = [("", *(measure.label for measure in found.measures))]
    rows += [(line.label, *line.values) for line in found.lines]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
