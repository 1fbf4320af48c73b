"""Reading what a teacher said: rows by key, from memory-mapped shards, without copying more than is
asked."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt64

from recdistill.errors import SignalError
from recdistill.files import file_sha256
from recdistill.signals.kinds import FieldSpec, SignalKind
from recdistill.signals.manifest import Expectation, SignalManifest
from recdistill.signals.shards import KEYS, Columns, map_shard

_Part = tuple[Columns, Int64[np.ndarray, "_"]]
"""A shard, and rows of it."""


class SignalReader:
    """One stored signal."""

    def __init__(self, folder: Path, manifest: SignalManifest) -> None:
        """Use `open`, which also checks whose signal it is."""
        self.folder = folder
        self.manifest = manifest
        self._shards = [map_shard(folder, shard, manifest.fields) for shard in manifest.shards]
        self._starts = np.cumsum([0, *(shard.rows for shard in manifest.shards)])
        self._keys, self._order = _index(self.keys)

    @classmethod
    def open(cls, folder: Path, expect: Expectation | None = None) -> SignalReader:
        """Open a complete signal; sizes and layout of all files are checked, their content by
        `verify`.

        Raises:
            SignalError: missing, damaged, incomplete, or not what is expected; the message names
                each difference.
        """
        manifest = SignalManifest.load(folder)
        (expect or Expectation()).check(manifest, folder)
        if not manifest.complete:
            raise SignalError(
                f"The labelling in {folder} was interrupted after {manifest.rows} rows.",
                "Label again with the same settings; it goes on where it stopped.",
            )
        return cls(folder, manifest)

    @property
    def kind(self) -> SignalKind:
        """What was asked of the teacher."""
        return self.manifest.kind

    @property
    def keys(self) -> UInt64[np.ndarray, " rows"]:
        """The key of every row, in row order."""
        parts = [shard[KEYS] for shard in self._shards]
        return np.concatenate([np.empty(0, dtype=np.uint64), *parts])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def find(self, keys: UInt64[np.ndarray, " wanted"]) -> Int64[np.ndarray, " wanted"]:
        """The row of each key; -1 where the teacher said nothing about it."""
        if not len(self):
            return np.full(len(keys), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self) - 1)
        found = self._keys[place] == keys
        rows = place if self._order is None else self._order[place]
        return np.where(found, rows, -1).astype(np.int64, copy=False)

    def read(self, rows: Int64[np.ndarray, " wanted"]) -> Columns:
        """The fields of `rows`, in their order; half precision comes out as float32.

        Raises:
            IndexError: a row does not exist (-1 of `find` included).
        """
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(self):
            raise IndexError(f"rows must lie in 0 … {len(self) - 1}")
        order, parts = self._by_shard(rows)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return {
            field.name: _gather(field, parts, len(rows))[back] for field in self.manifest.fields
        }

    def _by_shard(
        self, rows: Int64[np.ndarray, " wanted"]
    ) -> tuple[Int64[np.ndarray, " wanted"], list[_Part]]:
        """The order in which the shards give the rows, and which rows each shard gives."""
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        cuts = np.searchsorted(ordered, self._starts).tolist()
        parts = [
            (shard, ordered[first:last] - start)
            for shard, start, (first, last) in zip(
                self._shards, self._starts.tolist(), pairwise(cuts), strict=False
            )
            if last > first
        ]
        return order, parts

    def verify(self) -> None:
        """Read every byte and compare with the checksums.

        Raises:
            SignalError: naming the first damaged file.
        """
        for shard in self.manifest.shards:
            path = self.folder / shard.file
            if file_sha256(path) != shard.sha256:
                raise SignalError(
                    f"The signal shard {path} is damaged: its checksum is not the manifest's.",
                    "Delete the folder and label again.",
                )


def _gather(field: FieldSpec, parts: list[_Part], rows: int) -> np.ndarray:
    """One field of the rows that the shards give, end to end, in the type in which it is used."""
    values = np.empty((rows, *field.shape), dtype=field.dtype)
    first = 0
    for shard, wanted in parts:
        last = first + len(wanted)
        # "clip" only because numpy buffers the output of the mode that checks; the rows are in
        # range.
        np.take(shard[field.name], wanted, axis=0, out=values[first:last], mode="clip")
        first = last
    return values.astype(np.float32) if field.dtype == "float16" else values


def _index(
    keys: UInt64[np.ndarray, " rows"],
) -> tuple[UInt64[np.ndarray, " rows"], Int64[np.ndarray, " rows"] | None]:
    """Keys in ascending order and the row of each; no order is kept where rows are stored by key
    already."""
    if np.all(keys[1:] > keys[:-1]):
        return keys, None
    order = np.argsort(keys, kind="stable").astype(np.int64)
    return keys[order], order
