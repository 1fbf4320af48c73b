"""Times of a log: which unit they are in, and whether they can be true."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from jaxtyping import Int64

from recdistill.data.columns import TIME
from recdistill.errors import DataError

if TYPE_CHECKING:
    from recdistill.data.configuration import TimeUnit

_TICKS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DAY: Final = 86_400


def ticks_of(column: pl.Series, unit: TimeUnit) -> tuple[Int64[np.ndarray, " rows"], int]:
    """Times as integers in the finest unit the column has.

    Numbers are times since 1970 in `unit`; `auto` goes by the median (below 1e11 seconds, 1e14
    milliseconds, 1e17 microseconds, else nanoseconds). Numbers with a fraction are kept to the
    microsecond of a second. Dates and date-times are what they say, without a zone UTC. Text is a
    number or ISO 8601.

    Returns:
        The times, and how many of their units make a second.

    Raises:
        DataError: a time is missing, NaN, negative or unreadable; the message names the first row.
    """
    column = _typed(column)
    _refuse(column.is_null(), column, "missing")
    if column.dtype.is_temporal():
        return column.cast(pl.Datetime("us")).cast(pl.Int64).to_numpy(), _TICKS["us"]
    if column.dtype.is_float():
        _refuse(~column.is_finite(), column, "not a finite number")
    _refuse(column < 0, column, "negative")
    ticks = _TICKS[_unit(column) if unit == "auto" else unit]
    if column.dtype.is_float() and not (column == column.floor()).all():
        scale = max(_TICKS["us"] // ticks, 1)
        return (column * scale).round().cast(pl.Int64).to_numpy(), ticks * scale
    return column.cast(pl.Int64).to_numpy(), ticks


def refuse_future(times: Int64[np.ndarray, " rows"], ticks: int) -> None:
    """Refuse times later than tomorrow.

    Raises:
        DataError: naming the first row, and how to allow it.
    """
    latest = int(time.time()) + _DAY
    late = np.flatnonzero(times > latest * ticks)
    if len(late):
        moment = int(times[late[0]]) / ticks
        raise DataError(
            f"{len(late)} times lie in the future, "
            f"the first in row {int(late[0]) + 1}: {_moment(moment)}.",
            "Check dataset.time_unit, or set dataset.allow_future: true.",
        )


def _typed(column: pl.Series) -> pl.Series:
    if column.dtype != pl.String:
        if column.dtype.is_numeric() or isinstance(column.dtype, pl.Date | pl.Datetime):
            return column
        raise DataError(
            f"Column '{TIME}' holds {column.dtype}; times are numbers, dates or ISO 8601."
        )
    for kind in (pl.Int64, pl.Float64):
        numbers = column.cast(kind, strict=False)
        if numbers.null_count() == column.null_count():
            return numbers
    moments = column.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    _refuse(moments.is_null() & column.is_not_null(), column, "neither a number nor ISO 8601")
    return moments


def _unit(column: pl.Series) -> str:
    median = float(np.median(column.to_numpy())) if len(column) else 0.0
    limits = ((1e11, "s"), (1e14, "ms"), (1e17, "us"))
    return next((unit for limit, unit in limits if median < limit), "ns")


def _refuse(bad: pl.Series, column: pl.Series, what: str) -> None:
    rows = bad.fill_null(False).arg_true()
    if len(rows):
        row = int(rows[0])
        raise DataError(
            f"Column '{TIME}': {len(rows)} times are {what}, "
            f"the first in row {row + 1}: {column[row]!r}.",
            "Correct or remove these rows.",
        )


def _moment(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f} s since 1970"
