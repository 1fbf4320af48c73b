"""An index leaves only where it finds nearly all, and sooner."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from recdistill.bundle import export as export_module
from recdistill.bundle import indexing
from recdistill.bundle.export import export
from recdistill.bundle.indexing import indexed, recall
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.scoring.quick import QuickScorer
from recdistill.bundle.table import Table
from recdistill.data.dataset import Dataset
from recdistill.models.sasrec import SASRec

random = np.random.default_rng(2)
TABLE = Table(random.normal(size=(30_000, 8)).astype(np.float32))
STATES = random.normal(size=(100, 8)).astype(np.float32)


def taking(monkeypatch: pytest.MonkeyPatch, *milliseconds: float) -> None:
    """What the clock says of the exact scan, and then of each plan."""
    monkeypatch.setattr(
        indexing, "_milliseconds", lambda scorers, _: np.array(milliseconds[: len(scorers)])
    )


def test_recall_by_hand() -> None:
    wanted = np.array([[1, 2, 3], [4, 5, -1], [-1, -1, -1]])
    found = np.array([[3, 9, 1], [5, 4, -1], [-1, -1, -1]])
    assert recall(found, wanted) == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_it_finds_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    taking(monkeypatch, 1.0, 0.5, 0.4)
    found = indexed(TABLE, STATES)
    assert found is not None
    entry = found.entry
    assert (entry.milliseconds, entry.exact_milliseconds, entry.states) == (0.4, 1.0, 100)
    assert entry.piece == 1  # the second plan was the faster
    scorer = QuickScorer(found.codes, entry.depth, TABLE.rows, None)  # type: ignore[arg-type]
    items = scorer.top(STATES, 20)[0]
    wanted = np.argsort(-(STATES.astype(np.float64) @ TABLE.values.T), axis=1)[:, :20]
    shared = [len(set(one) & set(other)) / 20 for one, other in zip(items, wanted, strict=True)]
    assert entry.recall == pytest.approx(np.mean(shared), abs=1e-6)
    assert entry.recall >= 0.99


def test_the_clock_runs() -> None:
    taken = indexing._milliseconds([indexing.exact_scorer(TABLE)], STATES[:5])
    assert 0.001 < taken[0] < 1_000


@pytest.mark.parametrize("reason", ["slower", "finds too little", "no library"])
def test_else_every_item_is_looked_at(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    taking(monkeypatch, *((1.0, 1.0, 1.0) if reason == "slower" else (1.0, 0.1, 0.1)))
    if reason == "finds too little":
        monkeypatch.setattr(indexing, "_DEPTHS", (20,))
    if reason == "no library":
        monkeypatch.setitem(sys.modules, "faiss", None)
    assert indexed(TABLE, STATES) is None


@pytest.fixture
def small_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "INDEX_FROM", 1)
    taking(monkeypatch, 1.0, 0.5, 0.5)


@pytest.mark.usefixtures("small_ones_too")
def test_a_bundle_with_an_index(
    student: SASRec,
    tiny_dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bundle = export(student, tiny_dataset, tmp_path / "bundle")
    assert bundle.info.index is not None
    assert "index.safetensors" in bundle.info.files
    assert "finds 100.00%" in (tmp_path / "bundle" / "README.md").read_text()
    histories = [["i0001", "i0005"], []]
    told = bundle.recommend(histories)
    assert told["item_id"].to_list() == student.recommend(histories)["item_id"].to_list()
    monkeypatch.setitem(sys.modules, "faiss", None)
    with caplog.at_level(logging.WARNING):
        assert load_bundle(tmp_path / "bundle").recommend(histories).equals(told)
    assert "index is not used" in caplog.text


@pytest.mark.usefixtures("small_ones_too")
def test_not_where_it_is_not_wanted(
    student: SASRec, tiny_dataset: Dataset, tmp_path: Path, bundle_folder: Path
) -> None:
    plain = export(
        student, tiny_dataset, tmp_path / "plain", index=False, metrics={"ndcg@10": 0.125}
    )
    assert plain.info.digest == load_bundle(bundle_folder).info.digest
