"""Histories in one SQLite file: what is acknowledged is on the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from recdistill.errors import ConfigError, StorageError
from recdistill.serving.database import Connection, make_tables
from recdistill.serving.histories.contract import Event, EventConflictError, only

_VERSION = 1


class SqliteHistories:
    """A file in write-ahead mode, with every commit flushed before it returns. Several processes may share it."""

    def __init__(self, path: Path, pseudonyms: str) -> None:
        """`pseudonyms` names the key with which users are hashed (`Pseudonyms.identity`).

        Raises:
            StorageError: the file cannot be opened, or was written by a newer version.
            ConfigError: its users are hashed with another key: nobody would be found again.
        """
        self.path = path
        with self._refusals_named():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._writer, self._reader = Connection(path), Connection(path)
            self._prepare(pseudonyms)

    def append(self, events: Sequence[Event]) -> int:
        """See `Histories`."""
        return only(self.append_many([events]))

    def append_many(self, requests: Sequence[Sequence[Event]]) -> list[int | EventConflictError]:
        """See `Histories`."""
        with self._refusals_named(), self._writer.changing() as db:
            return [_kept(db, events) for events in requests]

    def latest(self, user: bytes, number: int) -> list[str]:
        """See `Histories`."""
        query = "SELECT item FROM events WHERE user = ? ORDER BY at DESC, place DESC LIMIT ?"
        with self._refusals_named(), self._reader.reading() as db:
            return [item for (item,) in db.execute(query, (user, number))][::-1]

    def export(self, user: bytes) -> list[Event]:
        """See `Histories`."""
        query = "SELECT id, user, item, at FROM events WHERE user = ? ORDER BY at, place"
        with self._refusals_named(), self._reader.reading() as db:
            return [Event(*row) for row in db.execute(query, (user,))]

    def forget(self, user: bytes) -> int:
        """See `Histories`. Freed pages are overwritten, and the log is emptied into the file."""
        with self._refusals_named():
            with self._writer.changing() as db:
                forgotten = db.execute("DELETE FROM events WHERE user = ?", (user,)).rowcount
            with self._writer.reading() as db:
                busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise StorageError(
                    f"{self.path} is in use; its log still holds what was forgotten."
                )
        return forgotten

    def close(self) -> None:
        """See `Histories`."""
        self._writer.close()
        self._reader.close()

    def _prepare(self, pseudonyms: str) -> None:
        with self._writer.changing() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise StorageError(f"{self.path} was written by a newer version.", "Update it.")
            if not version:
                _make(db, pseudonyms)
            (known,) = db.execute("SELECT value FROM facts WHERE name = 'pseudonyms'").fetchone()
        if known != pseudonyms:
            raise ConfigError(
                f"The users in {self.path} are hashed with another key than this one.",
                "Bring back that key, or begin with another file.",
            )

    @contextmanager
    def _refusals_named(self) -> Generator[None, None, None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"The histories in {self.path} cannot be used: {error}.",
                "Nothing was changed. Free some space, or name another file.",
            ) from error


def _kept(db: sqlite3.Connection, events: Sequence[Event]) -> int | EventConflictError:
    """How many of a request's events are new; after a conflict nothing of it is there."""
    db.execute("SAVEPOINT request")
    try:
        return sum(_insert(db, place, event) for place, event in enumerate(events))
    except EventConflictError as conflict:
        db.execute("ROLLBACK TO request")
        return conflict
    finally:
        db.execute("RELEASE request")


def _insert(db: sqlite3.Connection, place: int, event: Event) -> int:
    """1 if the event is new, 0 if it is known."""
    new = db.execute(
        "INSERT INTO events (id, user, item, at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        event,
    ).rowcount
    if not new:
        known = db.execute("SELECT user, item FROM events WHERE id = ?", (event.id,)).fetchone()
        if tuple(known) != (event.user, event.item):
            raise EventConflictError(place)
    return new


def _make(db: sqlite3.Connection, pseudonyms: str) -> None:
    make_tables(db, "recdistill.serving.histories")
    db.execute("INSERT INTO facts VALUES ('pseudonyms', ?)", (pseudonyms,))
    db.execute(f"PRAGMA user_version = {_VERSION}")
