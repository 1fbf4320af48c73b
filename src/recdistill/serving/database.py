"""SQLite as every store here uses it: what is committed is on the disk."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

_PATIENCE = 5.0
"""Seconds to wait while another process writes."""


class Connection:
    """A connection that threads take turns at."""

    def __init__(self, path: Path) -> None:
        self._turn = threading.Lock()
        self._db = sqlite3.connect(
            path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        self.close = self._db.close

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection, None, None]:
        """Ask."""
        with self._turn:
            yield self._db

    @contextmanager
    def changing(self) -> Generator[sqlite3.Connection, None, None]:
        """All of the block is on the disk when it ends, or nothing of it happened."""
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def make_tables(db: sqlite3.Connection, package: str) -> None:
    """Run the `schema.sql` of a package, within the transaction that is open."""
    # Statement by statement: `executescript` would commit what it finds open.
    text = files(package).joinpath("schema.sql").read_text("utf-8")
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""
