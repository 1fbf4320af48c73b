"""The rows of attempts: begun at their worst case, ended, and booked at what they cost."""

from __future__ import annotations

import time
import uuid
from sqlite3 import Connection
from typing import Literal, NamedTuple

from recdistill.asking.costs import Cost, Usage
from recdistill.asking.requests import Question

Ending = Literal["failed", "lost", "unsent"]
"""Of an attempt without an answer: the endpoint refused it, nobody knows, or it never left."""

_COSTS: dict[Ending, Cost | None] = {"failed": Cost(calls=1), "lost": None, "unsent": Cost()}
"""What such an attempt costs: an error is free of tokens, a lost answer may have cost the worst, as it was booked."""


class Raw(NamedTuple):
    """An answer as it came."""

    key: str
    attempt: str
    status: int
    body: bytes
    parsed: bool
    """Whether what it cost is booked."""


def begin(db: Connection, question: Question, account: str, batch: str | None) -> str:
    """An attempt is about to be sent; returns its id."""
    # Open attempts of this question are a dead owner's: what came of them, nobody will know.
    db.execute(
        "UPDATE attempts SET ending = 'lost' WHERE key = ? AND ending = 'open'", (question.key,)
    )
    attempt, worst = uuid.uuid4().hex, question.worst
    db.execute(
        "INSERT INTO attempts (id, key, account, batch, sent_at, calls, tokens, picos) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            attempt,
            question.key,
            account,
            batch,
            time.time(),
            worst.calls,
            worst.tokens,
            worst.picos,
        ),
    )
    return attempt


def answered(db: Connection, attempt: str, status: int, body: bytes) -> Raw:
    """An answer came; what it cost is to be read from it."""
    _end(db, attempt, "answered", status, body)
    key = db.execute("SELECT key FROM attempts WHERE id = ?", (attempt,)).fetchone()[0]
    return Raw(key, attempt, status, body, False)


def failed(db: Connection, attempt: str, ending: Ending, why: str, status: int | None) -> None:
    """No answer came."""
    _end(db, attempt, ending, status, why.encode())
    if (cost := _COSTS[ending]) is not None:
        book(db, attempt, cost, None)


def book(db: Connection, attempt: str, cost: Cost, usage: Usage | None) -> None:
    """What an attempt cost is known."""
    prompt, completion = (usage.prompt, usage.completion) if usage else (None, None)
    db.execute(
        "UPDATE attempts SET calls = ?, tokens = ?, picos = ?, settled = 1, prompt_tokens = ?, completion_tokens = ?"
        " WHERE id = ?",
        (cost.calls, cost.tokens, cost.picos, prompt, completion, attempt),
    )


def _end(db: Connection, attempt: str, ending: str, status: int | None, body: bytes) -> None:
    db.execute(
        "UPDATE attempts SET ending = ?, received_at = ?, status = ?, body = ? WHERE id = ?",
        (ending, time.time(), status, body, attempt),
    )
