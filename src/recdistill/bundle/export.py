"""Write a bundle, and only one that answers as the student does."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast, get_args

import numpy as np
import polars as pl
from jaxtyping import Int64

from recdistill import __version__
from recdistill.bundle.agreement import probes, require_agreement
from recdistill.bundle.bundle import Bundle
from recdistill.bundle.card import card
from recdistill.bundle.indexing import INDEX_FROM, Indexed, indexed
from recdistill.bundle.integers import in_integers
from recdistill.bundle.lists import lists_of
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.manifest import (
    CARD,
    FORMAT,
    INDEX,
    ITEMS,
    MANIFEST,
    MODEL,
    REASONS,
    TABLE,
    AboutEntry,
    DatasetEntry,
    FileEntry,
    Manifest,
    Precision,
    ReasonsEntry,
)
from recdistill.bundle.narrowing import narrowed, require_kept
from recdistill.bundle.onnx_export import to_onnx
from recdistill.bundle.packing import packed
from recdistill.bundle.reasons import MOST, written
from recdistill.bundle.runtime import Runtime
from recdistill.bundle.students import encoder_of, item_vectors, model_entry
from recdistill.bundle.table import Table
from recdistill.compression.settings import Integers
from recdistill.data.columns import EVENTS
from recdistill.data.dataset import Dataset
from recdistill.data.reasons import Reasons
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError, ConfigError, nearest
from recdistill.files import atomic_folder, atomic_path
from recdistill.models.outcomes import heads_of
from recdistill.models.recommender import Recommender, SequenceModel

_log = logging.getLogger(__name__)
PRECISIONS = get_args(Precision)
FEWEST_CHECKS = 1_000


def export(
    student: Recommender,
    dataset: Dataset,
    folder: Path | str,
    *,
    precision: str = "float32",
    encoder: Integers | None = None,
    index: bool = True,
    checks: int = FEWEST_CHECKS,
    metrics: Mapping[str, float] | None = None,
    created: str | None = None,
    reasons: Reasons | None = None,
    about: Mapping[str, str] | None = None,
) -> Bundle:
    """Write the student as a bundle that runs without PyTorch, and open it.

    The same student, dataset and arguments give the same bytes.

    Args:
        student: a fitted model.
        dataset: what it was fitted on: gives the catalogue and the histories to check with.
        folder: where to; what is there is replaced, but only by a bundle that passed. A name that ends in `.zip`
            makes one file of it.
        precision: in what numbers the item table and the matrices of the layers are kept.
        encoder: whether, and how, the products of its layers are computed in whole numbers; in float32 unless given.
        index: whether a large catalogue may have an index, if one finds nearly all and sooner than a scan of all items:
            measured here, and so the one thing of which the bytes may differ.
        checks: histories on which PyTorch and ONNX Runtime must agree; at least 1,000.
        metrics: what was measured of the student, for the manifest and the card.
        created: a date to note; none is noted unless given.
        reasons: why the teacher said what it said. They may tell what somebody took: whoever has the bundle reads them.
        about: for the card: `teacher`, `teacher_licence`, `data_licence`, `intended_use`; any may be left out.

    Raises:
        BundleError: the student cannot be exported, is of another dataset, the two do not agree, or fewer bits
            change too many answers. Nothing is written then.
        ConfigError: an unknown precision or entry of `about`, or too few checks.
        MissingExtraError: the ONNX packages are not installed.
    """
    form = _check_request(student, dataset, precision, checks)
    said = _said(about or {})
    if left := heads_of(student.network).names:
        _log.warning(
            "The bundle ranks items; the heads for %s stay behind. `Recommender.load` has them.",
            " and ".join(left),
        )
    histories = probes(dataset, checks)
    wide = _wide(student)
    agreement = require_agreement(student, wide.opened(), histories)
    leaving, narrowing = wide, None
    if form != "float32" or encoder:
        leaving = _narrow(wide, form, encoder, dataset.train.histories)
        narrowing = require_kept(wide.opened(), leaving.opened(), histories)
    told = (reasons or Reasons({})).some(MOST)
    files = {MODEL: leaving.model, TABLE: leaving.table.written()}
    files |= {ITEMS: _items(dataset), CARD: b""}
    quick = _index(leaving, histories) if index else None
    if quick:
        files[INDEX] = quick.codes.written()
    if len(told):
        files[REASONS] = written(told)
    manifest = Manifest(
        format=FORMAT,
        recdistill=__version__,
        created=created,
        model=model_entry(student, leaving.table.width, form, encoder),
        dataset=_dataset_entry(dataset),
        metrics=dict(metrics or {}),
        agreement=agreement,
        narrowing=narrowing,
        lists=lists_of(leaving.opened(), histories, _events(dataset)),
        about=said,
        reasons=ReasonsEntry(count=len(told)) if len(told) else None,
        index=quick.entry if quick else None,
        files=_entries(files),
    )
    ids = dataset.vocabulary.ids
    files[CARD] = card(manifest, (str(ids[0]), str(ids[-1]))).encode()
    manifest = manifest.model_copy(update={"files": _entries(files)})
    return _write(Path(folder), files, manifest)


def opened(student: Recommender) -> Runtime:
    """The student as its float32 bundle would answer, without a file; nothing is checked."""
    return _wide(student).opened()


def _said(about: Mapping[str, str]) -> AboutEntry | None:
    for name in about:
        if name not in AboutEntry.model_fields:
            hint = nearest(name, list(AboutEntry.model_fields))
            raise ConfigError(f"A card has no place for '{name}'.", hint)
    return AboutEntry(**about) if about else None


def _check_request(
    student: Recommender, dataset: Dataset, precision: str, checks: int
) -> Precision:
    if precision not in PRECISIONS:
        raise ConfigError(
            f"Bundles cannot have precision '{precision}'.", nearest(precision, PRECISIONS)
        )
    if checks < FEWEST_CHECKS:
        raise ConfigError(
            f"{checks} histories are too few to say that two programs agree.",
            f"Give checks={FEWEST_CHECKS} or more.",
        )
    if not student.vocabulary.ids.equals(dataset.vocabulary.ids):
        raise BundleError(
            f"The student does not know the items of dataset '{dataset.name}'.",
            "Export it with the dataset that it was fitted on.",
        )
    return cast("Precision", precision)


class _Leaving(NamedTuple):
    """The two files that a student becomes, and how much of a history it looks at."""

    model: bytes
    table: Table
    history: int | None

    def opened(self) -> Runtime:
        return Runtime(self.model, self.table, self.history)


def _wide(student: Recommender) -> _Leaving:
    encoder = encoder_of(student)
    table = Table.of(item_vectors(student), "float32")
    history = student.history if isinstance(student, SequenceModel) else None
    return _Leaving(to_onnx(encoder, table.width), table, history)


def _narrow(
    wide: _Leaving, precision: Precision, encoder: Integers | None, histories: Sequences
) -> _Leaving:
    table, model = Table.of(wide.table.vectors, precision), wide.model
    if encoder:
        model = in_integers(model, encoder, table, histories.tail(wide.history or 0))
    if precision != "float32":
        model = narrowed(model, precision)
    return wide._replace(model=model, table=table)


def _index(leaving: _Leaving, histories: Sequences) -> Indexed | None:
    if len(leaving.table) < INDEX_FROM:
        return None
    return indexed(leaving.table, leaving.opened().states(histories))


def _dataset_entry(dataset: Dataset) -> DatasetEntry:
    return DatasetEntry(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        items=dataset.num_items,
        users=len(dataset.users),
        events=len(dataset.train),
    )


def _events(dataset: Dataset) -> Int64[np.ndarray, " items"]:
    return np.bincount(dataset.train.items, minlength=dataset.num_items).astype(np.int64)


def _items(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.items.frame.with_columns(pl.Series(EVENTS, _events(dataset))).write_parquet(stream)
    return stream.getvalue()


def _entries(files: Mapping[str, bytes]) -> dict[str, FileEntry]:
    return {
        name: FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        for name, data in files.items()
    }


def _write(folder: Path, files: Mapping[str, bytes], manifest: Manifest) -> Bundle:
    """Put the files in place, once they have been opened as any user would."""
    if folder.suffix == ".zip":
        with atomic_path(folder) as file:
            file.write_bytes(packed({**files, MANIFEST: manifest.render().encode()}))
            return load_bundle(file)
    with atomic_folder(folder) as staging:
        for name, data in files.items():
            (staging / name).write_bytes(data)
        (staging / MANIFEST).write_text(manifest.render(), encoding="utf-8")
        return load_bundle(staging)
