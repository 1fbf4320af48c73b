"""Two generated domains with no item and no user in common, whose items are told in the same words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from recdistill.data.dataset import Dataset
from recdistill.data.preparation import load_dataset

KINDS = ("crime", "romance", "western", "space", "music")
TRAINING = {
    "epochs": 6,
    "batch_size": 8,
    "patience": None,
    "optimizer": {"learning_rate": 0.005},
}
HEAD = {"width": 12, "blocks": 1, "history": 10}
"""What a teacher of such a domain is made of, and how it is trained."""


def write_domain(
    folder: Path, letter: str, *, users: int, items: int, events: int, seed: int
) -> Path:
    """A log in which an item of one kind is nearly always followed by one of the next kind, any of them."""
    random = np.random.default_rng(seed)
    kind_of = random.integers(len(KINDS), size=items)
    who = np.concatenate([np.arange(users), random.integers(users, size=events - users)])
    here = random.integers(len(KINDS), size=users)
    what = np.empty(events, dtype=np.int64)
    for event, user in enumerate(who):
        here[user] = (here[user] + 1) % len(KINDS) if random.random() < 0.9 else here[user]
        what[event] = random.choice(np.flatnonzero(kind_of == here[user]))
    folder.mkdir(parents=True)
    pl.DataFrame(
        {
            "user_id": [f"{letter}u{user}" for user in who],
            "item_id": [f"{letter}{item:03d}" for item in what],
            "timestamp": 1_600_000_000 + np.cumsum(random.integers(1, 7_200, size=events)),
        }
    ).write_parquet(folder / "log.parquet")
    pl.DataFrame(
        {
            "item_id": [f"{letter}{item:03d}" for item in range(items)],
            "title": [f"the {KINDS[kind]} story" for kind in kind_of],
        }
    ).write_parquet(folder / "items.parquet")
    return folder


def write_vectors(dataset: Dataset, path: Path, seed: int = 0) -> Path:
    """A file of vectors that see the kind of an item through noise, shuffled."""
    random = np.random.default_rng(seed)
    titles = dataset.items.texts()
    kinds = np.array([next(k for k, kind in enumerate(KINDS) if kind in one) for one in titles])
    directions = np.random.default_rng(99).normal(size=(len(KINDS), 8))
    vectors = (directions[kinds] + 0.1 * random.normal(size=(len(kinds), 8))).astype(np.float32)
    order = random.permutation(len(kinds))
    ids = dataset.vocabulary.ids.gather(order)
    pl.DataFrame({"item_id": ids, "vector": vectors[order].tolist()}).write_parquet(path)
    return path


def prepared(source: Path) -> Dataset:
    """The dataset beside its log."""
    return load_dataset(source, into=source.parent / f"{source.name}-prepared", name=source.name)
