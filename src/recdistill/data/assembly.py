"""From raw columns to grouped, filtered events in dense ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from jaxtyping import Int32

from recdistill.data.clock import refuse_future, ticks_of
from recdistill.data.columns import ITEM, RATING, TIME, USER
from recdistill.data.configuration import DatasetConfig, Filters
from recdistill.data.encoding import encode_ids
from recdistill.data.events import Events
from recdistill.data.filters import core, distinct, one_of_each
from recdistill.data.sources.log import Log
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import DataError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Assembled:
    """Events by user and time, in seconds, with the ids they use and the count of what went."""

    events: Events
    users: Vocabulary
    items: Vocabulary
    counts: dict[str, int]

    def renumbered(self) -> Assembled:
        """The same with only the ids that still have events."""
        users, user_ids = _used(self.events.users, self.users)
        items, item_ids = _used(self.events.items, self.items)
        return replace(
            self,
            events=replace(self.events, users=users, items=items),
            users=user_ids,
            items=item_ids,
        )


def assemble(log: Log, config: DatasetConfig) -> Assembled:
    """Read a log, put it in order, and filter it.

    Raises:
        DataError: the log is empty, has bad values, or nothing is left of it.
    """
    read, ticks = _read(log, config)
    known, later = _as_it_was(read.events, log, config.filters.before, ticks)
    events, counts = _filtered(known.grouped(), config.filters)
    counts = {"events_read": len(read.events), **later, **counts}
    seconds = events.times if ticks == 1 else events.times // ticks
    kept = replace(read, events=replace(events, times=seconds), counts=counts).renumbered()
    _refuse_too_few(kept, bool(len(read.events)))
    return kept


def _read(log: Log, config: DatasetConfig) -> tuple[Assembled, int]:
    columns = _columns(log)
    # Each raw column is let go as soon as its dense one is there: strings are the largest thing
    # here.
    ratings = _ratings(columns.pop(RATING)) if RATING in columns else None
    users, user_ids = encode_ids(columns.pop(USER), untyped=log.untyped)
    items, item_ids = encode_ids(columns.pop(ITEM), untyped=log.untyped)
    times, ticks = ticks_of(columns.pop(TIME), config.time_unit if log.has_time else "s")
    if log.has_time and not config.allow_future:
        refuse_future(times, ticks)
    return Assembled(Events(users, items, times, ratings), user_ids, item_ids, {}), ticks


def _columns(log: Log) -> dict[str, pl.Series]:
    try:
        frame = log.events.collect()
    except pl.exceptions.PolarsError as error:
        first = str(error).strip().split("\n")[0]
        raise DataError(
            f"{', '.join(str(file) for file in log.files)} cannot be read: {first}"
        ) from error
    if len(frame) == 0:
        raise DataError(f"The log {log.name} is empty: it has no events.")
    return {column.name: column for column in frame.get_columns()}


def _ratings(column: pl.Series) -> np.ndarray:
    numbers = column.cast(pl.Float32, strict=False)
    bad = (numbers.is_null() | ~numbers.is_finite().fill_null(False)).arg_true()
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"Column '{RATING}': {len(bad)} ratings are no numbers, the first in row {row + 1}: "
            f"{column[row]!r}."
        )
    return numbers.to_numpy()


def _as_it_was(
    events: Events, log: Log, before: datetime | None, ticks: int
) -> tuple[Events, dict[str, int]]:
    """The events before a moment, and how many came later; what came later decides nothing."""
    if before is None:
        return events, {}
    if not log.has_time:
        raise DataError(
            f"filters.before names a moment, but the log {log.name} has an order and no times.",
            "Drop filters.before, or bring a log with times.",
        )
    microseconds = (before - _EPOCH) // timedelta(microseconds=1)
    known = events.take(events.times < -(-microseconds * ticks // 1_000_000))
    return known, {"later_dropped": len(events) - len(known)}


def _filtered(events: Events, filters: Filters) -> tuple[Events, dict[str, int]]:
    counts: dict[str, int] = {}

    def keep(name: str, rows: np.ndarray) -> None:
        nonlocal events
        counts[name] = len(rows) - int(np.count_nonzero(rows))
        if counts[name]:
            events = events.take(rows)

    keep("duplicates_dropped", distinct(events))
    if filters.min_rating is not None:
        if events.ratings is None:
            raise DataError("filters.min_rating is set, but the log has no ratings.")
        keep("low_ratings_dropped", events.ratings >= np.float32(filters.min_rating))
    if filters.keep != "all":
        keep("repeats_dropped", one_of_each(events, filters.keep))
    minima = filters.min_user_events, filters.min_item_events
    if max(minima) > 1:
        keep("outside_core_dropped", core(events.users, events.items, *minima))
    counts["ties"] = int(events.follows_tie().sum())
    return events, counts


def _used(
    dense: Int32[np.ndarray, " events"], vocabulary: Vocabulary
) -> tuple[Int32[np.ndarray, " events"], Vocabulary]:
    used = np.bincount(dense, minlength=len(vocabulary)) > 0
    if used.all():
        return dense, vocabulary
    numbers = (np.cumsum(used) - 1).astype(np.int32)
    return numbers[dense], Vocabulary(vocabulary.ids.filter(pl.Series(used)))


def _refuse_too_few(kept: Assembled, had_events: bool) -> None:
    if len(kept.events) == 0 and had_events:
        raise DataError("No event is left after the filters.", "Lower dataset.filters.")
    for vocabulary, what in ((kept.users, "user"), (kept.items, "item")):
        if len(vocabulary) < 2:
            raise DataError(
                f"The log has one {what} only ('{vocabulary.ids[0]}'): there is nothing to learn.",
                "Check dataset.columns, or lower dataset.filters.",
            )
