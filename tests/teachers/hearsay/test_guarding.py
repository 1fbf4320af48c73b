"""What is told about leaks, and what is not looked for."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from recdistill.data.hearsay.settings import TextsAboutUsers
from recdistill.data.hearsay.texts import join_user_texts
from recdistill.data.preparation import load_dataset
from recdistill.errors import DataError
from recdistill.teachers.hearsay.guarding import guarded_texts
from recdistill.training.options import RunOptions

USERS, ITEMS = 60, 200
NAMES = [f"Night{item:03d} Train{item:03d}" for item in range(ITEMS)]


@pytest.fixture(scope="module")
def taken():
    random = np.random.default_rng(3)
    return [random.choice(ITEMS, 12, replace=False) for _ in range(USERS)]


@pytest.fixture
def told(taken, tmp_path):
    """`told(column)`: a log whose catalogue calls its items by that column, and texts that name the next one."""
    folder = tmp_path / "log"
    folder.mkdir()
    events = [(user, item, at) for user, items in enumerate(taken) for at, item in enumerate(items)]
    log = pl.DataFrame(events, schema=["user_id", "item_id", "timestamp"], orient="row")
    log.write_parquet(folder / "log.parquet")
    texts = [f"Loves {NAMES[items[0]]} and *{NAMES[items[-2]]}*." for items in taken]
    rows = [{"user_id": user, "text": text} for user, text in enumerate(texts)]
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, rows)))
    file = TextsAboutUsers(path=tmp_path / "said.jsonl")

    def of(column: str):
        pl.DataFrame({"item_id": range(ITEMS), column: NAMES}).write_parquet(
            folder / "items.parquet"
        )
        dataset = load_dataset(folder, into=tmp_path / column, split={"kind": "leave-one-out"})
        return dataset, join_user_texts(file, dataset)

    return of


@pytest.mark.parametrize(("column", "asked"), [("title", None), ("name", None), ("label", "label")])
def test_names_are_looked_for_whatever_their_column_is_called(told, column, asked):
    dataset, texts = told(column)
    with pytest.raises(DataError, match=r"60 of 60 texts .100%. name what is held out"):
        guarded_texts(texts, "refuse", dataset, RunOptions(), asked)


def test_where_nothing_is_called_anything_nobody_says_that_no_leak_was_seen(told):
    dataset, texts = told("label")
    _, notes = guarded_texts(texts, "refuse", dataset, RunOptions())
    (remark,) = [one for one in notes["remarks"] if "validation" in one]
    assert "were not looked for in texts" in remark
    assert "`users.title`" in remark
    assert "No leak seen" not in remark
    assert notes["leaks"][0]["checked"] == 60
    assert "has no column of titles" in notes["leaks"][0]["unseen"]


def test_a_column_that_is_not_there_is_refused(told):
    dataset, texts = told("title")
    with pytest.raises(DataError, match="has no 'titel'") as caught:
        guarded_texts(texts, "refuse", dataset, RunOptions(), "titel")
    assert "title" in caught.value.hint
