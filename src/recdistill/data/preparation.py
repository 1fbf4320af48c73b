"""From a log to a dataset folder: read, filter, order, cut, write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from recdistill.data import layout
from recdistill.data.assembly import Assembled, assemble
from recdistill.data.cases import count_cases
from recdistill.data.catalogue import with_catalogue
from recdistill.data.configuration import DatasetConfig
from recdistill.data.cutting import TEST, TRAIN, VALID, Cut, cut
from recdistill.data.dataset import Dataset
from recdistill.data.events import Events
from recdistill.data.items import Items
from recdistill.data.reading import merged, read_dataset
from recdistill.data.sources.log import Log
from recdistill.data.sources.registry import open_log
from recdistill.data.splits import LeaveOneOut, SplitManifest
from recdistill.data.tables import write_parquet
from recdistill.errors import DataError
from recdistill.files import atomic_folder, content_hash, file_sha256, write_json


def load_dataset(
    source: str | Path | DatasetConfig, *, into: Path | str | None = None, **settings: Any
) -> Dataset:
    """Prepare a dataset, or open it where it was prepared before.

    Args:
        source: a named source (`"movielens-100k"`), a file or folder, or a whole configuration.
        into: the folder to prepare into; by default one in the user's cache, named by the content
            of the source and the settings, so that the same question is answered once.
        settings: fields of `DatasetConfig`, for example `split={"kind": "leave-one-out"}`.

    Raises:
        DataError: the source cannot be read or not used as asked.
    """
    if isinstance(source, DatasetConfig):
        config = DatasetConfig.model_validate(source.model_dump() | settings)
    else:
        config = DatasetConfig.model_validate({"source": str(source), **settings})
    log = open_log(config)
    identity = input_identity(log, config)
    folder = _cache_folder(config, log, identity) if into is None else Path(into)
    if _prepared_from(folder) == identity:
        return read_dataset(folder)
    return _prepare(log, config, folder, identity)


def prepare(config: DatasetConfig, folder: Path) -> Dataset:
    """Read what `config` names and write a dataset folder, whole or not at all.

    Raises:
        DataError: the source cannot be read or not used as asked.
        StorageError: the disk refused a write.
    """
    log = open_log(config)
    return _prepare(log, config, folder, input_identity(log, config))


def input_identity(log: Log, config: DatasetConfig) -> str:
    """A hash of everything that preparation depends on: the settings, and the bytes that are read."""
    settings = config.model_dump(mode="json", exclude={"path", "source", "items"})
    files = [[file.name, file_sha256(file)] for file in log.files]
    return content_hash({"format": layout.FORMAT, "settings": settings, "files": files})


def _cache_folder(config: DatasetConfig, log: Log, identity: str) -> Path:
    name = config.name or log.name
    return platformdirs.user_cache_path("recdistill") / "datasets" / f"{name}-{identity}"


def _prepared_from(folder: Path) -> str | None:
    if not (folder / layout.MANIFEST).exists():
        return None
    return layout.read_manifest(folder).get("input")


def _refuse_foreign(folder: Path) -> None:
    """Refuse to put a dataset in the place of something else, which would be lost."""
    ours = not folder.exists() or (folder / layout.MANIFEST).exists()
    if not ours and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            f"{folder} holds something that is no prepared dataset; it is left as it is.",
            "Choose a folder that is empty or does not exist.",
        )


def _prepare(log: Log, config: DatasetConfig, folder: Path, identity: str) -> Dataset:
    _refuse_foreign(folder)
    assembled = assemble(log, config)
    division = cut(assembled.events, len(assembled.users), config.split, has_time=log.has_time)
    whole = config.filters.min_item_events == 0
    assembled, items = with_catalogue(assembled, log, template=config.text, whole=whole)
    parts = {
        name: assembled.events.take(division.parts == part)
        for name, part in ((layout.INTERACTIONS, TRAIN), (layout.VALID, VALID), (layout.TEST, TEST))
    }
    split = _split_manifest(parts, division, log, config, assembled.counts["ties"])
    manifest = {
        "format": layout.FORMAT,
        "name": config.name or log.name,
        "input": identity,
        "fingerprint": _fingerprint(parts, assembled, items, config),
        "split": split.model_dump(mode="json"),
        "template": items.template,
        "max_valid_cases": config.max_valid_cases,
        "min_history": config.filters.min_history,
        "counts": _counts(assembled, items, parts),
        "config": config.model_dump(mode="json", exclude={"path", "source", "items"}),
    }
    with atomic_folder(folder) as staging:
        for name, part in parts.items():
            layout.write_events(staging / name, part)
        write_parquet(assembled.users.ids.to_frame(), staging / layout.USERS)
        write_parquet(items.frame, staging / layout.ITEMS)
        manifest["files"] = {name: file_sha256(staging / name) for name in layout.FILES}
        write_json(staging / layout.MANIFEST, manifest)
    return read_dataset(folder)


def _split_manifest(
    parts: dict[str, Events], division: Cut, log: Log, config: DatasetConfig, ties: int
) -> SplitManifest:
    train, valid, test = (parts[name] for name in (layout.INTERACTIONS, layout.VALID, layout.TEST))
    target = "last" if isinstance(config.split, LeaveOneOut) else config.split.target
    least = config.filters.min_history
    valid_cases, valid_without = count_cases(train, valid, target, least)
    test_cases, test_without = count_cases(merged(train, valid), test, target, least)
    kept = min(valid_cases, config.max_valid_cases)
    return SplitManifest(
        settings=config.split,
        cuts=division.times,
        has_time=log.has_time,
        train_events=len(train),
        valid_events=len(valid),
        test_events=len(test),
        valid_cases=kept,
        test_cases=test_cases,
        valid_without_history=valid_without,
        test_without_history=test_without,
        valid_left_out=valid_cases - kept,
        ties=ties,
    )


def _fingerprint(
    parts: dict[str, Events], assembled: Assembled, items: Items, config: DatasetConfig
) -> str:
    return layout.fingerprint(
        parts,
        assembled.users,
        assembled.items,
        items.text_hash() if items.template else "",
        {
            "split": config.split.model_dump(mode="json"),
            "max_valid_cases": config.max_valid_cases,
            "min_history": config.filters.min_history,
        },
    )


def _counts(assembled: Assembled, items: Items, parts: dict[str, Events]) -> dict[str, int]:
    trained = np.count_nonzero(np.bincount(parts[layout.INTERACTIONS].items))
    return {
        "users": len(assembled.users),
        "items": len(items),
        "items_without_training_events": len(items) - int(trained),
        "items_without_text": len(items.without_text()) if items.template else len(items),
        **assembled.counts,
    }
