"""Logs that hold one row a user, with the items in order: there is no time in them, only an order."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recdistill.data.columns import ITEM, TIME, USER
from recdistill.errors import DataError


def unrolled(histories: pl.DataFrame, path: Path) -> pl.DataFrame:
    """One row an event, from a list of items a user; `timestamp` is the place in the list.

    Raises:
        DataError: a user has no id, or more than one row.
    """
    if histories[USER].has_nulls() or histories[USER].n_unique() < len(histories):
        double = histories[USER].filter(histories[USER].is_duplicated()).first()
        raise DataError(f"{path}: user '{double}' has more than one line.", "Join the lines.")
    places = pl.int_ranges(pl.col(ITEM).list.len(), dtype=pl.Int64).alias(TIME)
    filled = histories.filter(pl.col(ITEM).list.len() > 0).with_columns(places)
    return filled.explode(ITEM, TIME)
