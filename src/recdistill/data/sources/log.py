"""What every source gives: events and items under our column names, not yet read into memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recdistill.errors import DataError, nearest


@dataclass(frozen=True)
class Log:
    """A log and its catalogue, as a source found them.

    Attributes:
        name: how reports call the dataset.
        events: columns `user_id`, `item_id`, `timestamp` (numbers, date-times or ISO text), perhaps
            `rating`, in the order of the log.
        items: column `item_id` and what is known of the items; None where nothing is.
        files: everything that was read; their content decides whether a prepared copy is still
            good.
        template: how an item becomes text, as the source suggests; None lets the catalogue decide.
        has_time: whether `timestamp` is a time; otherwise it is the place in the user's sequence.
        untyped: ids come from text, where `7` may be a number; they are numbers if all of them are.
    """

    name: str
    events: pl.LazyFrame
    items: pl.LazyFrame | None
    files: tuple[Path, ...]
    template: str | None = None
    has_time: bool = True
    untyped: bool = True


def require_columns(names: Iterable[str], available: list[str], where: str, hint: str) -> None:
    """Refuse a table that lacks a column.

    Raises:
        DataError: naming the column, the nearest one there is, and how to map it.
    """
    for name in names:
        if name not in available:
            raise DataError(
                f"{where} has no column '{name}'.", f"{nearest(name, available)} {hint}".strip()
            )
