"""Answers that are errors and stay: a network's sign-in page, a complaint about a request that was wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from recdistill.asking.answers import read
from recdistill.asking.ledger import Ledger

_AT_ONCE = 500
"""Answers in memory; each may be long."""


class Mistake(NamedTuple):
    """A question whose answer is an error."""

    key: str
    endpoint: str
    model: str
    status: int
    """Of HTTP; 200 of an answer that makes no sense."""


def mistakes(
    ledger: Ledger, model: str | None = None, endpoint: str | None = None
) -> Iterator[Mistake]:
    """The lasting errors among the answers, of one model or endpoint (its identity) or of all, in the order of keys.

    They are read anew, so that what is an error is what asking would call one.
    """
    after = ""
    while rows := ledger.database.rows(
        "SELECT q.key, q.endpoint, q.model, a.status, a.body FROM questions q JOIN attempts a ON a.id = q.answer"
        " WHERE q.state IN ('received', 'parsed') AND q.key > ?1"
        " AND (?2 IS NULL OR q.model = ?2) AND (?3 IS NULL OR q.endpoint = ?3) ORDER BY q.key LIMIT ?4",
        after,
        model,
        endpoint,
        _AT_ONCE,
    ):
        for *found, body in rows:
            mistake = Mistake(*found)
            if read(mistake.key, mistake.status, body).error is not None:
                yield mistake
        after = rows[-1]["key"]
