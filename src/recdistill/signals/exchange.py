"""Signals from and to Parquet, for exchange with other tools; reading for training goes by the
shards.

A kind becomes one Parquet file: column `key`, then a column for each field (a list where a row
holds several values), and the manifest as file metadata, so that who said it travels with what was
said.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from recdistill.errors import SignalError
from recdistill.files import atomic_path
from recdistill.signals.kinds import FieldSpec
from recdistill.signals.manifest import SignalManifest
from recdistill.signals.reader import SignalReader
from recdistill.signals.shards import Columns
from recdistill.signals.writer import SignalWriter

_MANIFEST = b"recdistill.signal"
_ROWS = 16_384
_UNWRITTEN = {"shards": (), "complete": False}


def to_parquet(reader: SignalReader, path: Path | str) -> None:
    """Write a signal as one Parquet file.

    Raises:
        StorageError: the disk refused.
    """
    manifest = reader.manifest
    schema = pa.schema(
        [("key", pa.uint64()), *((field.name, _arrow_type(field)) for field in manifest.fields)],
        metadata={_MANIFEST: manifest.model_dump_json()},
    )
    keys = reader.keys
    with atomic_path(Path(path)) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for start in range(0, len(reader), _ROWS):
            rows = np.arange(start, min(start + _ROWS, len(reader)), dtype=np.int64)
            read = reader.read(rows)
            columns = [_arrow_array(read[field.name], field) for field in manifest.fields]
            writer.write_batch(pa.record_batch([pa.array(keys[rows]), *columns], schema=schema))


def from_parquet(path: Path | str, folder: Path | str) -> SignalReader:
    """Make a signal of a Parquet file that `to_parquet` wrote (or another tool, with its metadata).

    Raises:
        SignalError: the file is damaged, or is no signal.
        StorageError: the disk refused.
    """
    path, folder = Path(path), Path(folder)
    try:
        with pq.ParquetFile(path) as file:
            stored = _manifest(file, path)
            manifest = stored.model_copy(update=_UNWRITTEN)
            writer = SignalWriter.create(folder, manifest)
            silent = stored.silent - writer.manifest.silent  # with the first rows, once
            for keys, columns in _parts(file, manifest):
                absent = writer.absent(keys)
                kept = {name: values[absent] for name, values in columns.items()}
                writer.append(keys[absent], kept, silent)
                silent.clear()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise SignalError(
            f"The signals in {path} cannot be read: {str(error).splitlines()[0]}",
            "Export them again with `to_parquet`.",
        ) from error
    writer.finish()
    return SignalReader.open(folder)


def _manifest(file: pq.ParquetFile, path: Path) -> SignalManifest:
    try:
        manifest = SignalManifest.model_validate_json(file.schema_arrow.metadata[_MANIFEST])
    except (TypeError, KeyError, ValidationError) as error:
        raise SignalError(
            f"{path} does not say whose signals it holds: the metadata"
            f" '{_MANIFEST.decode()}' is missing or damaged.",
            "Only files that `to_parquet` wrote can be imported.",
        ) from error
    return manifest


def _parts(file: pq.ParquetFile, manifest: SignalManifest) -> Iterator[tuple[np.ndarray, Columns]]:
    for batch in file.iter_batches(batch_size=_ROWS):
        columns = {field.name: _numpy(batch.column(field.name), field) for field in manifest.fields}
        yield batch.column("key").to_numpy(), columns


def _arrow_type(field: FieldSpec) -> Any:
    value = pa.int32() if field.dtype == "int32" else pa.float32()
    return pa.list_(value, int(np.prod(field.shape))) if field.shape else value


def _arrow_array(values: np.ndarray, field: FieldSpec) -> Any:
    flat = pa.array(values.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1]) if field.shape else flat


def _numpy(column: Any, field: FieldSpec) -> np.ndarray:
    flat = column.flatten() if field.shape else column
    return flat.to_numpy(zero_copy_only=False).reshape(len(column), *field.shape)
