"""Where items that came, changed or went are kept: one SQLite file, which servers of one machine may share."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from recdistill.errors import StorageError
from recdistill.serving.database import Connection, make_tables
from recdistill.serving.stock.contract import Entry

_VERSION = 1
_decode = msgspec.json.Decoder(Entry).decode


class StockStore:
    """What is acknowledged is on the disk. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        """Open the file; it is made if there is none.

        Raises:
            StorageError: it cannot be opened, or was written by a newer version.
        """
        self.path = path
        with self._refusals_named():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._writer, self._reader = Connection(path), Connection(path)
            with self._writer.changing() as db:
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version > _VERSION:
                    raise StorageError(f"{path} was written by a newer version.", "Update it.")
                if not version:
                    make_tables(db, "recdistill.serving.stock")
                    db.execute(f"PRAGMA user_version = {_VERSION}")

    def put(self, entries: Sequence[Entry]) -> None:
        """Keep entries, each in place of what was said of its item before: all of them, or none.

        Raises:
            StorageError: they cannot be kept.
        """
        rows = [(entry.item, msgspec.json.encode(entry)) for entry in entries]
        with self._refusals_named(), self._writer.changing() as db:
            db.executemany("INSERT OR REPLACE INTO items (item, entry) VALUES (?, ?)", rows)

    def entries(self) -> list[Entry]:
        """All of them, in the order in which they were last said.

        Raises:
            StorageError: they cannot be read.
        """
        with self._refusals_named(), self._reader.reading() as db:
            rows = db.execute("SELECT entry FROM items ORDER BY place").fetchall()
        try:
            return [_decode(entry) for (entry,) in rows]
        except msgspec.MsgspecError as error:
            raise StorageError(f"{self.path} holds what is no item: {error}.") from None

    def version(self) -> int:
        """A number that grows with every change, whoever makes it.

        Raises:
            StorageError: it cannot be read.
        """
        with self._refusals_named(), self._reader.reading() as db:
            (place,) = db.execute("SELECT coalesce(max(place), 0) FROM items").fetchone()
        return place

    def close(self) -> None:
        """Let go of the file."""
        self._writer.close()
        self._reader.close()

    @contextmanager
    def _refusals_named(self) -> Generator[None, None, None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"The items in {self.path} cannot be used: {error}.",
                "Nothing was changed. Free some space, or name another file.",
            ) from error
