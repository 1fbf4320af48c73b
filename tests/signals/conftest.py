"""Made-up signals of a made-up teacher."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recdistill.signals import SignalKind, SignalManifest, SignalWriter, TeacherIdentity, TopK
from recdistill.signals.manifest import DatasetIdentity

ITEMS, WIDTH = 300, 8


@pytest.fixture
def teacher() -> TeacherIdentity:
    return TeacherIdentity(
        kind="recommender", name="sasrec", revision="0123", settings={"config": {"width": 8}}
    )


@pytest.fixture
def manifest(teacher) -> Callable[..., SignalManifest]:
    def make(kind: SignalKind | None = None, **changes: object) -> SignalManifest:
        kind = kind or TopK(k=5)
        parts = {
            "kind": kind,
            "teacher": teacher,
            "dataset": DatasetIdentity(name="tiny", fingerprint="abc"),
            "fields": kind.fields(ITEMS, WIDTH),
        }
        return SignalManifest(**(parts | changes))

    return make


def made_up_keys(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, rows, dtype=np.uint64)


def made_up_columns(keys: np.ndarray, k: int = 5) -> dict[str, np.ndarray]:
    """Columns that can be told from the keys, so that a mix-up shows."""
    base = (keys % np.uint64(1000)).astype(np.float32)
    places = np.arange(k, dtype=np.float32)
    return {
        "items": (base[:, None] + places).astype(np.int32),
        "logits": -(base[:, None] / 100 + places),
        "rest": -base,
    }


@pytest.fixture
def made_up() -> tuple[Callable[..., np.ndarray], Callable[..., dict[str, np.ndarray]]]:
    return made_up_keys, made_up_columns


@pytest.fixture
def stored(tmp_path: Path, manifest, made_up) -> tuple[Path, np.ndarray]:
    """A complete top-k signal of 1,000 rows in 7 shards, and its keys."""
    keys_of, columns_of = made_up
    folder, keys = tmp_path / "signals" / "top-k", keys_of(1000)
    writer = SignalWriter.create(folder, manifest(), shard_rows=150)
    for start in range(0, len(keys), 64):
        part = keys[start : start + 64]
        writer.append(part, columns_of(part))
    writer.finish()
    return folder, keys
