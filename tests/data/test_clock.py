"""Times in every unit mean the same moment; times that cannot be true are refused by row."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from recdistill.data.clock import refuse_future, ticks_of
from recdistill.data.configuration import TimeUnit
from recdistill.errors import DataError

MOMENT = datetime(2020, 5, 17, 12, 30, 15, tzinfo=UTC)
SECONDS = int(MOMENT.timestamp())


def _seconds(column: pl.Series, unit: TimeUnit = "auto") -> list[float]:
    times, ticks = ticks_of(column, unit)
    assert times.dtype == np.int64
    return [int(value) / ticks for value in times]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([SECONDS]),
        pl.Series([SECONDS * 1_000]),
        pl.Series([SECONDS * 10**6]),
        pl.Series([SECONDS * 10**9]),
        pl.Series([float(SECONDS)]),
        pl.Series([str(SECONDS)]),
        pl.Series([f"{SECONDS}.0"]),
        pl.Series([MOMENT.replace(tzinfo=None)]),
        pl.Series([MOMENT]),
        pl.Series(["2020-05-17T12:30:15Z"]),
        pl.Series(["2020-05-17 12:30:15"]),
        pl.Series(["2020-05-17T14:30:15+02:00"]),
        pl.Series([MOMENT.replace(tzinfo=None)], dtype=pl.Datetime("ms")),
    ],
)
def test_every_way_to_write_a_moment_means_it(column: pl.Series) -> None:
    assert _seconds(column) == [SECONDS]


def test_dates_are_their_midnight_and_units_can_be_said() -> None:
    assert _seconds(pl.Series([date(1970, 1, 3)])) == [2 * 86_400]
    assert _seconds(pl.Series([5_000, 7_000]), "ms") == [5, 7]
    assert _seconds(pl.Series([5_000, 7_000])) == [5_000, 7_000]


def test_fractions_of_a_second_are_kept() -> None:
    times, ticks = ticks_of(pl.Series([SECONDS + 0.25, SECONDS + 0.5]), "auto")
    assert ticks == 10**6
    assert np.diff(times).tolist() == [250_000]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pl.Series([1.0, float("nan"), float("nan")]), "2 times are not a finite number.*row 2"),
        (pl.Series([1.0, float("inf")]), "not a finite number.*row 2"),
        (pl.Series([1, None]), "missing.*row 2"),
        (pl.Series([1, 2, -3]), "negative.*row 3: -3"),
        (pl.Series(["2020-01-01T00:00:00", "yesterday"]), "neither a number nor ISO 8601.*row 2"),
        (pl.Series([True]), "numbers, dates or ISO 8601"),
    ],
)
def test_bad_times_are_refused_by_row(column: pl.Series, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ticks_of(column, "auto")


def test_the_future_is_refused_and_named() -> None:
    now = int(time.time())
    refuse_future(np.array([now, now + 3_600]), 1)
    with pytest.raises(
        DataError, match=r"1 times lie in the future, the first in row 2: \d{4}-"
    ) as e:
        refuse_future(np.array([now, now + 3 * 86_400]), 1)
    assert "allow_future" in e.value.hint
    with pytest.raises(DataError, match="s since 1970"):
        refuse_future(np.array([2**62]), 1)
