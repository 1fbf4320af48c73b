"""A ledger of version 1 becomes one of version 2: what it knows is found by the keys that questions have now."""

from __future__ import annotations

from sqlite3 import Connection

from recdistill.asking.keys import key_of


def rekey(db: Connection) -> None:
    """Give all questions the keys that their requests have now; in version 1 the text of a schema was in them."""
    rows = db.execute(
        "SELECT key, endpoint, request FROM questions WHERE INSTR(request, 'json_schema')"
    ).fetchall()
    for before, endpoint, request in rows:
        now = key_of(endpoint, request)
        if now != before:
            _rename(db, before, now)


def _rename(db: Connection, before: str, now: str) -> None:
    db.execute("UPDATE attempts SET key = ? WHERE key = ?", (now, before))
    # Two that differed in nothing but their schemas are one question now: the one that has an answer.
    db.execute(
        "DELETE FROM questions WHERE key = ? AND answer IS NULL"
        " AND EXISTS (SELECT 1 FROM questions WHERE key = ? AND answer IS NOT NULL)",
        (now, before),
    )
    db.execute("UPDATE OR IGNORE questions SET key = ? WHERE key = ?", (now, before))
    db.execute("DELETE FROM questions WHERE key = ?", (before,))
