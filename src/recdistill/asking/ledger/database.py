"""The ledger's file: opened, durable, and honest about what the disk refuses."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from recdistill.asking.ledger.rekeying import rekey
from recdistill.errors import StorageError

VERSION = 2
_PATIENCE = 60.0
"""Seconds to wait while another process writes."""


class Database:
    """One SQLite file: write-ahead log, and every commit on the disk before it returns. Threads take turns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.RLock()
        with self._refusals_named():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # prompts hold what people did: nobody else's business
            self._db = sqlite3.connect(
                path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            self.close = weakref.finalize(self, self._db.close)
            """Let go of the file; happens by itself when nobody holds the database any more."""
            self._db.row_factory = sqlite3.Row
            self._require_ours()
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._prepare()

    @contextmanager
    def change(self) -> Generator[sqlite3.Connection, None, None]:
        """A transaction that nobody else's can slip into; on disk when the block ends, undone if it fails.

        Within another change, a part of that.

        Raises:
            StorageError: the disk or the database refused it; nothing of it happened.
        """
        with self._turn, self._refusals_named():
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """What a question to the database finds."""
        with self._turn, self._refusals_named():
            return self._db.execute(query, values).fetchall()

    def _require_ours(self) -> None:
        """Refuse another program's database before anything in it is changed."""
        tables = {
            row[0] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if tables and "questions" not in tables:
            raise StorageError(f"{self.path} is a database, but no ledger.", "Name another file.")

    def _prepare(self) -> None:
        version = self._version()
        if version > VERSION:
            raise StorageError(
                f"The ledger {self.path} was written by a newer version.",
                "Update recdistill, or name another ledger.",
            )
        if version < VERSION:
            with self.change() as db:
                if self._version() == 0:  # nobody was quicker
                    _make(db)
                elif self._version() < VERSION:
                    rekey(db)
                db.execute(f"PRAGMA user_version = {VERSION}")

    def _version(self) -> int:
        return self._db.execute("PRAGMA user_version").fetchone()[0]

    @contextmanager
    def _refusals_named(self) -> Generator[None, None, None]:
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # a mistake of ours, no trouble of the disk's
        except (sqlite3.DatabaseError, OSError) as error:
            raise StorageError(
                f"The ledger {self.path} cannot be used: {error}.",
                "Nothing is asked without it; what it holds is unharmed. Free some space, or name another ledger.",
            ) from error


def _make(db: sqlite3.Connection) -> None:
    # Statement by statement: `executescript` would commit what it finds open.
    statement = ""
    for line in (
        files("recdistill.asking.ledger")
        .joinpath("schema.sql")
        .read_text("utf-8")
        .splitlines(keepends=True)
    ):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""
