"""What a dataset is made of and how: the `dataset:` section of a configuration."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from recdistill.data.splits import GlobalTime, SplitConfig
from recdistill.settings import Settings

TimeUnit = Literal["auto", "s", "ms", "us", "ns"]


class Columns(Settings):
    """Which column of a table is which; only tables without fixed names need it."""

    user_id: str = "user_id"
    """The column of user ids (strings or integers)."""
    item_id: str = "item_id"
    """The column of item ids, in the log and in the item file."""
    catalogue_id: str | None = Field(default=None, exclude_if=lambda given: given is None)
    """The column of item ids in the item file, where it has another name there."""
    timestamp: str = "timestamp"
    """The column of times: numbers since 1970 (see `time_unit`), date-times, or ISO 8601 text."""
    rating: str | None = None
    """The column of ratings; by default `rating` where the table has one."""


class Filters(Settings):
    """Which events stay. Exact duplicates (same user, item and time) always go, and are counted."""

    min_rating: float | None = None
    """Keep events with at least this rating."""
    keep: Literal["all", "first", "last"] = "all"
    """Of events of one user with one item at different times, keep all, the first or the last."""
    min_user_events: int = Field(default=1, ge=1)
    """Users with fewer events go; together with `min_item_events` to a fixed point (k-core)."""
    min_item_events: int = Field(default=0, ge=0)
    """Items with fewer events go, from log and catalogue; 0 keeps the whole catalogue."""
    min_history: int = Field(default=1, ge=1)
    """Validation and test cases with fewer earlier events are left out, and counted."""
    before: datetime | None = Field(default=None, exclude_if=lambda given: given is None)
    """Read the log as it was at this moment: later events (and those of the moment itself) go, and are counted. A
    date, ISO 8601 (UTC where it names no zone), or seconds since 1970. The catalogue has no dates: items that
    nobody had touched by then stay, unless `min_item_events` is 1 or more."""

    @field_validator("before")
    @classmethod
    def _in_universal_time(cls, moment: datetime | None) -> datetime | None:
        if moment is None or moment.tzinfo is None:
            return moment and moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)


class DatasetConfig(Settings):
    """A log, a catalogue and a split."""

    source: str
    """A published data set (`movielens-100k`), a format (`recbole`) with `path`, or a path."""
    path: Path | None = None
    """Where the source lies; published ones are looked for or downloaded without it."""
    name: str | None = None
    """How reports call the dataset; by default the name of the source."""
    items: Path | None = None
    """A table of items (`item_id`, `title` …) for logs that come without one."""
    columns: Columns = Columns()
    """The names of the columns in the tables."""
    text: str | None = None
    """How an item becomes text, as in `{title}. {description}`; else as the source suggests."""
    split: SplitConfig = Field(default=GlobalTime(), discriminator="kind")
    """How training, validation and test are cut."""
    filters: Filters = Filters()
    """Which events stay."""
    time_unit: TimeUnit = "auto"
    """The unit of numeric times; `auto` tells by the median (below 1e11 seconds, 1e14 ms, 1e17 us)."""
    allow_future: bool = False
    """Accept times later than tomorrow."""
    max_valid_cases: int = Field(default=20_000, ge=1)
    """Validation cases beyond this number are sampled, always the same ones."""
