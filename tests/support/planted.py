"""A world whose texts tell what people want, to whoever learns to read them.

An item's text is a few kind words, which are the loudest thing about it and say nothing, and a number. Users take items
whose numbers begin with the same digit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from recdistill.data.dataset import Dataset
from recdistill.data.preparation import load_dataset

KINDS = ("crime", "romance", "western", "space", "music")
GROUPS = 4
"""First digits."""
EACH = 12
"""Items of a first digit."""


def group_of(items: np.ndarray) -> np.ndarray:
    return items // EACH


def texts() -> list[str]:
    random = np.random.default_rng(5)
    kinds = random.choice(KINDS, size=(GROUPS * EACH, 3))
    return [
        f"the {' '.join(kinds[item])} story {item // EACH}{item % EACH % 10}"
        for item in range(GROUPS * EACH)
    ]


def planted(folder: Path, users: int = 90, events: int = 9) -> Dataset:
    random = np.random.default_rng(11)
    favourite = random.integers(GROUPS, size=users)
    rows = [
        (f"u{user:03d}", f"i{item:03d}")
        for user in range(users)
        for item in favourite[user] * EACH + random.permutation(EACH)[:events]
    ]
    order = random.permutation(len(rows))
    log = pl.DataFrame(
        {
            "user_id": [rows[at][0] for at in order],
            "item_id": [rows[at][1] for at in order],
            "timestamp": 1_600_000_000 + 60 * np.arange(len(rows)),
        }
    )
    items = pl.DataFrame(
        {"item_id": [f"i{item:03d}" for item in range(GROUPS * EACH)], "title": texts()}
    )
    source = folder / "source"
    source.mkdir(parents=True)
    log.write_parquet(source / "log.parquet")
    items.write_parquet(source / "items.parquet")
    return load_dataset(source, into=folder / "dataset", name="planted")
