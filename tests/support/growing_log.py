"""A log that grows: later it has more events, some users and items that nobody knew, and the same past."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from recdistill.data.dataset import Dataset
from recdistill.data.preparation import load_dataset

LATE = pl.col("item_id").str.slice(1).cast(pl.Int32) % 8 == 5
"""Which items appear only in the second part, here and there among the others."""


def growing_source(make_source, folder: Path, **size: int) -> tuple[Path, datetime]:
    """The folder of the whole log and its catalogue, and the moment up to which the former one goes."""
    source = make_source(folder, **{"users": 80, "items": 40, "events": 2400, **size})
    log = pl.read_parquet(source / "log.parquet").sort("timestamp", maintain_order=True)
    moment = int(log["timestamp"][int(0.75 * len(log))])
    late_users = pl.col("user_id").str.slice(1).cast(pl.Int32) % 10 == 3
    early = pl.col("timestamp") < moment
    log.filter(~(early & (LATE | late_users))).write_parquet(source / "log.parquet")
    return source, datetime.fromtimestamp(moment, UTC)


def settings(source: Path, before: datetime | None) -> dict[str, Any]:
    """The `dataset:` section of the former run (`before` a moment) or the later one."""
    filters: dict[str, Any] = {"min_item_events": 1}
    if before is not None:
        filters["before"] = before.isoformat()
    return {"source": str(source), "name": "growing", "filters": filters}


def both(make_source, folder: Path, **size: int) -> tuple[Dataset, Dataset]:
    """The dataset as it was, and as it is."""
    source, moment = growing_source(make_source, folder, **size)
    return tuple(
        load_dataset(**settings(source, before), into=folder / name)
        for name, before in (("former", moment), ("later", None))
    )
