"""The films of `tests.support.films` as a dataset, and files of what was said of them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from recdistill.data.dataset import Dataset
from recdistill.data.preparation import load_dataset
from tests.support.films import PEOPLE, TITLES


@pytest.fixture(scope="session")
def films(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("films") / "log"
    folder.mkdir()
    events = [(user, item, at) for user, items in PEOPLE.items() for at, item in enumerate(items)]
    frame = pl.DataFrame(events, schema=["user_id", "item_id", "timestamp"], orient="row")
    frame.write_parquet(folder / "log.parquet")
    ids = [100 + place for place in range(len(TITLES))]
    pl.DataFrame({"item_id": ids, "title": TITLES}).write_parquet(folder / "items.parquet")
    split = {"kind": "leave-one-out"}
    return load_dataset(folder, into=folder.parent / "prepared", name="films", split=split)


@pytest.fixture
def write(tmp_path):
    """`write(name, rows)` writes JSON lines; any other value as JSON."""

    def written(name: str, content) -> Path:
        path = tmp_path / name
        lines = path.suffix in (".jsonl", ".log") and not isinstance(content, str)
        text = "\n".join(map(json.dumps, content)) if lines else content
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    return written
