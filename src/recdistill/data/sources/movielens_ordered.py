"""MovieLens 1M where only an order is known: ratings without times, and files that say who came last.

    ratings_no_timestamp.tsv.gz   user, item, rating
    chrono_valid_10pct.tsv        user, item: each user's events before the last fifth, in time order
    chrono_test_20pct.tsv         user, item: each user's last fifth, in time order
    movies.dat                    the films

Of each user, events in neither of the files come first. Their true order is not known, and that of the log
would mislead: it runs through the films alike for all users, so that a sequential model learns the log
instead of the people (its loss falls to 4.2 nats while its validation stays at half of what it could be).
They are shuffled, always in the same way. Then come the validation file's events and the test file's, in the
order of those files. Sources disagree on a third of the last items, since many ratings share their second;
the files' own order is kept throughout, as one order of ties for whole histories. Times are places in that
order, so only `leave-one-out` and `last-fraction` splits make sense.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from recdistill.data.columns import ITEM, RATING, TIME, USER
from recdistill.data.sources.log import Log, require_columns
from recdistill.data.sources.movielens import TEMPLATE, films_1m
from recdistill.data.sources.tables import scan_table

RATINGS: Final = "ratings_no_timestamp.tsv.gz"
_PARTS: Final = ("chrono_valid_10pct.tsv", "chrono_test_20pct.tsv")
_KEYS: Final = [USER, ITEM]


def read_ordered_1m(folder: Path) -> Log:
    """The log in the best order that the files allow."""
    files = [folder / name for name in (RATINGS, *_PARTS)]
    ratings, *parts = (_table(path) for path in files)
    row = pl.int_range(pl.len(), dtype=pl.Int64)
    shuffled = np.random.default_rng(0).permutation(len(ratings))
    events = ratings.with_columns(pl.Series("any", shuffled))
    for number, part in enumerate(parts):
        places = part.select(*_KEYS, row.alias(f"place{number}")).unique(_KEYS, keep="first")
        events = events.join(places, on=_KEYS, how="left", maintain_order="left")
    valid, test = (pl.col(f"place{number}") for number in range(2))
    # Nulls sort first: an event in no file is before those in the first, and so on.
    order = [test.fill_null(-1), valid.fill_null(-1), pl.col("any")]
    events = events.sort(USER, *order).with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).over(USER).alias(TIME)
    )
    return Log(
        "movielens-1m",
        events.select(USER, ITEM, TIME, RATING).lazy(),
        films_1m(folder).lazy(),
        (*files, folder / "movies.dat"),
        TEMPLATE,
        has_time=False,
    )


def _table(path: Path) -> pl.DataFrame:
    frame = scan_table(path)
    available = frame.collect_schema().names()
    require_columns(["user", "item"], available, str(path), "")
    kept = frame.rename({"user": USER, "item": ITEM}).collect()
    return kept.select(name for name in (USER, ITEM, RATING) if name in kept.columns)
