"""Whom a record is about."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Int32, Int64

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.finding import Finder
from recdistill.data.hearsay.report import JoinReport
from recdistill.data.hearsay.settings import AboutUsers
from recdistill.data.sequences import Sequences
from recdistill.errors import DataError

Rows = Int64[np.ndarray, " kept"]


def of_users(
    file: AboutUsers, keys: Sequence[Any], dataset: Dataset, report: JoinReport
) -> tuple[Int32[np.ndarray, " kept"], Rows]:
    """Dense users, and the records about them, in the order of the file: one a user, of users with a history.

    Raises:
        DataError: keys are to be shifted, but are no whole numbers.
    """
    users = dataset.users.encode(_shifted(file, keys))
    strangers = np.flatnonzero(users < 0)
    report.count("about_unknown_users", len(strangers), [keys[row] for row in strangers[:5]])
    rows = np.flatnonzero(users >= 0)
    cold = dataset.train.histories.lengths[users[rows]] == 0
    report.count("about_users_without_a_history", int(cold.sum()))
    rows = rows[~cold]
    kept = rows[one_of_each(users[rows].tolist(), file.repeated)]
    report.count("repeated", len(rows) - len(kept))
    return users[kept], kept


def of_histories(
    file: AboutUsers, stated: Sequence[Sequence[str]], finder: Finder, report: JoinReport
) -> tuple[Int32[np.ndarray, " kept"], Sequences, Rows]:
    """No users, the histories, and the records about them; one a history, of which every item was found."""
    found, _ = finder.find(stated)
    whole = [at for at, items in enumerate(found) if items and min(items) >= 0]
    report.count("histories_not_wholly_found", len(found) - len(whole))
    rows = np.array(whole, dtype=np.int64)
    kept = rows[one_of_each([tuple(found[row]) for row in whole], file.repeated)]
    report.count("repeated", len(rows) - len(kept))
    histories = Sequences.from_lists([found[row] for row in kept])
    return np.full(len(kept), -1, dtype=np.int32), histories, kept


def of_everybody(count: int) -> tuple[Int32[np.ndarray, " kept"], Sequences, Rows]:
    """No users, empty histories, every record."""
    nobody = np.full(count, -1, dtype=np.int32)
    return nobody, Sequences.from_lists([[]] * count), np.arange(count, dtype=np.int64)


def one_of_each(keys: Sequence[Hashable], which: Literal["first", "last"]) -> Rows:
    """Where each key stands first or last, in order."""
    places = [*enumerate(keys)]
    chosen = {key: at for at, key in (places if which == "last" else reversed(places))}
    return np.array(sorted(chosen.values()), dtype=np.int64)


def _shifted(file: AboutUsers, keys: Sequence[Any]) -> pl.Series:
    raw = pl.Series([None if key is None else str(key) for key in keys], dtype=pl.String)
    if not file.shift:
        return raw
    numbers = raw.cast(pl.Int64, strict=False)
    if numbers.is_null().all():
        raise DataError(
            f"The keys of {file.path} are no whole numbers ({', '.join(map(str, keys[:3]))}…), and cannot be shifted.",
            "Drop `shift`, or say where the user's number stands (`user_id`).",
        )
    return (numbers + file.shift).cast(pl.String)
