"""The folder of a prepared dataset: what lies where, whole or not at all.

interactions.parquet   training events: dense user, dense item, time in seconds, rating
valid.parquet          the events of the validation window
users.parquet          raw user ids, row = dense id
items.parquet          raw item ids and what is known of the items, row = dense id
manifest.json          how it came about, the split, the fingerprint, a checksum of every file
holdout/test.parquet   the events of the test window; opened by `holdout.py` alone
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt
import polars as pl

from recdistill.data.columns import ITEM, RATING, TIME, USER
from recdistill.data.events import Events
from recdistill.data.tables import write_parquet
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import DataError
from recdistill.files import file_sha256, read_json

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
INTERACTIONS: Final = "interactions.parquet"
VALID: Final = "valid.parquet"
USERS: Final = "users.parquet"
ITEMS: Final = "items.parquet"
TEST: Final = "holdout/test.parquet"
FILES: Final = (INTERACTIONS, VALID, USERS, ITEMS, TEST)


def write_events(path: Path, events: Events) -> None:
    """Write events as Parquet."""
    columns = {USER: events.users, ITEM: events.items, TIME: events.times}
    if events.ratings is not None:
        columns[RATING] = events.ratings
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(pl.DataFrame(columns), path, compression="lz4", statistics=False)


def read_events(folder: Path, name: str) -> Events:
    """Read events of a prepared dataset.

    Raises:
        DataError: the file is missing or damaged.
    """
    frame = read_table(folder, name)
    ratings = frame[RATING].to_numpy() if RATING in frame.columns else None
    return Events(frame[USER].to_numpy(), frame[ITEM].to_numpy(), frame[TIME].to_numpy(), ratings)


def read_table(folder: Path, name: str) -> pl.DataFrame:
    """Read a table of a prepared dataset, after checking it against the manifest.

    Raises:
        DataError: the file is missing or damaged.
    """
    expected = read_manifest(folder)["files"].get(name)
    path = folder / name
    if not path.is_file() or file_sha256(path) != expected:
        raise DataError(
            f"{path} is missing or damaged (its checksum is not the one in {MANIFEST}).",
            "Prepare the dataset again: recdistill data prepare.",
        )
    return pl.read_parquet(path)


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """The manifest of a prepared dataset.

    Raises:
        DataError: the folder is no prepared dataset of this version.
    """
    path = folder / MANIFEST
    try:
        manifest = read_json(path)
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} is no prepared dataset: it has no {MANIFEST}.",
            "Make one with: recdistill data prepare.",
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}.", "Prepare the dataset again.") from error
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT:
        raise DataError(
            f"{path} has format {found}; this version reads {FORMAT}.", "Prepare the dataset again."
        )
    return manifest


def fingerprint(
    parts: Mapping[str, Events],
    users: Vocabulary,
    items: Vocabulary,
    text_hash: str,
    split: Mapping[str, Any],
) -> str:
    """A hash of what the dataset says, the same whatever wrote it and wherever it lies."""
    digest = hashlib.sha256(json.dumps([text_hash, split], sort_keys=True).encode())
    for name, events in parts.items():
        digest.update(f"{name}:{len(events)}:{events.ratings is not None}".encode())
        for column in (events.users, events.items, events.times, events.ratings):
            if column is not None:
                digest.update(_little_endian(column))
    for vocabulary in (users, items):
        digest.update(json.dumps(vocabulary.ids.to_list()).encode())
    return digest.hexdigest()[:32]


def _little_endian(column: npt.NDArray[Any]) -> bytes:
    return column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes()
