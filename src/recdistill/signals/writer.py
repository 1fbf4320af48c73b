"""Writing what a teacher says, so that a kill at any moment loses no finished shard and repeats no
row."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt64

from recdistill.errors import SignalError
from recdistill.signals.kinds import FieldSpec
from recdistill.signals.manifest import Expectation, SignalManifest
from recdistill.signals.shards import KEYS, Columns, map_shard, write_shard

SHARD_ROWS = 131_072


class SignalWriter:
    """Appends rows to a signal's folder, a shard at a time.

    A shard is written atomically and then entered into the manifest, which is replaced atomically
    too: what the manifest names is whole, what it does not name was never said. Rows not yet in a
    shard are lost with the process and are said again.
    """

    def __init__(
        self, folder: Path, manifest: SignalManifest, shard_rows: int = SHARD_ROWS
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self._shard_rows = shard_rows
        self._pending: list[Columns] = []
        self._silent: Counter[str] = Counter()
        self._present = self._stored_keys()
        self._since = time.monotonic()

    @classmethod
    def create(
        cls, folder: Path, manifest: SignalManifest, shard_rows: int = SHARD_ROWS
    ) -> SignalWriter:
        """Start a signal in `folder`, or go on with the same one that was interrupted there.

        Raises:
            SignalError: the folder holds signals of another teacher, dataset or kind, or damaged
                ones.
            StorageError: the disk refused.
        """
        if not SignalManifest.exists(folder):
            manifest.save(folder)
            return cls(folder, manifest, shard_rows)
        stored = SignalManifest.load(folder)
        for left_over in folder.glob(".*.tmp"):  # of a write that a kill cut short
            left_over.unlink()
        Expectation(manifest.dataset, manifest.teacher, manifest.kind).check(stored, folder)
        _refuse_other_origins(stored, manifest, folder)
        return cls(folder, stored, shard_rows)

    def absent(self, keys: UInt64[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
        """Which of `keys` are not in a finished shard and still have to be appended."""
        return ~np.isin(keys, self._present)

    def append(
        self,
        keys: UInt64[np.ndarray, " rows"],
        columns: Columns,
        silent: Mapping[str, int] | None = None,
    ) -> None:
        """Add rows; full shards go to disk at once.

        Args:
            keys: of the rows.
            columns: their fields.
            silent: in how many of them the teacher had nothing of its own to say, by reason. It goes with the shard
                that is written next.

        Raises:
            SignalError: a field is missing, unknown or has another shape.
            StorageError: the disk refused; what was written before is whole, and labelling can go
                on.
        """
        stored = {field.name: _stored(columns, field, len(keys)) for field in self.manifest.fields}
        self._pending.append({KEYS: keys, **stored})
        self._silent.update(silent or {})
        while sum(len(part[KEYS]) for part in self._pending) >= self._shard_rows:
            self._write(self._shard_rows)

    def flush(self) -> None:
        """Write what is pending as a shard of its own, so that what follows begins another.

        Raises:
            StorageError: the disk refused.
        """
        if self._pending:
            self._write(self._shard_rows)

    def finish(self) -> SignalManifest:
        """Write what is pending and declare the signal complete.

        Raises:
            SignalError: a key was appended twice.
            StorageError: the disk refused.
        """
        self.flush()
        keys = self._stored_keys()
        if len(np.unique(keys)) != len(keys):
            raise SignalError(
                f"Some contexts were labelled twice in {self.folder}.",
                "Delete the folder and label again, each distinct context once.",
            )
        self._record(complete=True)
        return self.manifest

    def _write(self, rows: int) -> None:
        """The first pending rows become a shard; the others stay pending."""
        columns = {
            name: np.concatenate([part[name] for part in self._pending])
            for name in self._pending[0]
        }
        shard = write_shard(
            self.folder,
            len(self.manifest.shards),
            {name: values[:rows] for name, values in columns.items()},
            self._silent,
        )
        self._silent = Counter()
        rest = {name: values[rows:] for name, values in columns.items()}
        self._pending = [rest] if len(rest[KEYS]) else []
        self._record(shards=(*self.manifest.shards, shard))

    def _record(self, **changes: object) -> None:
        now = time.monotonic()
        spent = 0.0 if self.manifest.complete else now - self._since
        self._since = now
        changes["seconds"] = round(self.manifest.seconds + spent, 3)
        self.manifest = self.manifest.model_copy(update=changes)
        self.manifest.save(self.folder)

    def _stored_keys(self) -> UInt64[np.ndarray, " rows"]:
        keys = [
            map_shard(self.folder, shard, self.manifest.fields)[KEYS]
            for shard in self.manifest.shards
        ]
        return np.concatenate([np.empty(0, dtype=np.uint64), *keys])


def _refuse_other_origins(stored: SignalManifest, wanted: SignalManifest, folder: Path) -> None:
    if stored.carried != wanted.carried:
        counts = [sum(part.rows for part in one.carried) for one in (stored, wanted)]
        raise SignalError(
            f"The signals in {folder} hold {counts[0]:,} rows taken over from elsewhere; these would be "
            f"{counts[1]:,}, or others.",
            "Choose another folder: rows of different origin are not mixed.",
        )


def _stored(columns: Columns, field: FieldSpec, rows: int) -> np.ndarray:
    """A column in its stored type; half precision saturates instead of overflowing to infinity."""
    values = columns.get(field.name)
    if values is None or values.shape != (rows, *field.shape):
        found = "nothing" if values is None else str(values.shape)
        raise SignalError(
            f"Field '{field.name}' must have shape {(rows, *field.shape)}, got {found}.",
            f"The fields are: {', '.join(columns)}.",
        )
    if field.dtype == "float16":
        largest = float(np.finfo(np.float16).max)
        values = np.clip(values, -largest, largest)
    return values.astype(field.dtype, copy=False)
