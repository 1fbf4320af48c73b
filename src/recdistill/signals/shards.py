"""A shard: one safetensors file of keys and fields, written whole and read in place."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from recdistill.errors import SignalError
from recdistill.files import atomic_path
from recdistill.signals.kinds import FieldSpec
from recdistill.signals.manifest import Shard

KEYS = "keys"
Columns = Mapping[str, Shaped[np.ndarray, "_ ..."]]
"""Arrays by field name; the first dimension of all is the row."""

_DTYPES = {"U64": "uint64", "I32": "int32", "F16": "float16", "F32": "float32"}
_LABEL_AGAIN = "Delete that file and label again; whole shards are kept."


def write_shard(
    folder: Path, number: int, columns: Columns, silent: Mapping[str, int] | None = None
) -> Shard:
    """Write one shard, atomically; `silent` goes with it (see `Shard`).

    Raises:
        StorageError: the disk refused.
    """
    from safetensors.numpy import save  # reading, and configurations, do without the package

    name = f"shard-{number:05d}.safetensors"
    content = save({column: np.ascontiguousarray(values) for column, values in columns.items()})
    with atomic_path(folder / name) as temporary:
        temporary.write_bytes(content)
    return Shard(
        file=name,
        rows=len(columns[KEYS]),
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        silent=dict(sorted((silent or {}).items())),
    )


def map_shard(folder: Path, shard: Shard, fields: tuple[FieldSpec, ...]) -> Columns:
    """The columns of a shard as views of the mapped file; nothing is copied or read ahead of use.

    Raises:
        SignalError: the file is missing, has another size, or does not hold what the manifest says.
            A file that became shorter must be found here: touching a page behind its end would kill
            the process.
    """
    path = folder / shard.file
    try:
        with path.open("rb") as stream:
            content = np.frombuffer(
                mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), np.uint8
            )
    except (OSError, ValueError) as error:
        raise SignalError(
            f"The signal shard {path} cannot be read: {error}.", _LABEL_AGAIN
        ) from error
    if len(content) != shard.bytes:
        raise SignalError(
            f"The signal shard {path} is damaged: {len(content)} bytes of {shard.bytes}.",
            _LABEL_AGAIN,
        )
    try:
        columns = _views(content)
    except (ValueError, KeyError, TypeError) as error:
        raise SignalError(f"The signal shard {path} is damaged: {error}.", _LABEL_AGAIN) from error
    _check_layout(path, columns, shard.rows, fields)
    return columns


def _views(content: np.ndarray) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file: 8 bytes of length, a JSON header, then the data."""
    start = 8 + int.from_bytes(content[:8].tobytes(), "little")
    header: dict[str, Any] = json.loads(content[8:start].tobytes())
    header.pop("__metadata__", None)
    return {name: _view(content[start:], entry) for name, entry in header.items()}


def _view(data: np.ndarray, entry: dict[str, Any]) -> np.ndarray:
    first, last = entry["data_offsets"]
    return data[first:last].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])


def _check_layout(path: Path, columns: Columns, rows: int, fields: tuple[FieldSpec, ...]) -> None:
    expected = {KEYS: ("uint64", (rows,))}
    expected |= {field.name: (field.dtype, (rows, *field.shape)) for field in fields}
    found = {name: (values.dtype.name, values.shape) for name, values in columns.items()}
    if found != expected:
        raise SignalError(
            f"The signal shard {path} holds {found}, but its manifest says {expected}.",
            _LABEL_AGAIN,
        )
