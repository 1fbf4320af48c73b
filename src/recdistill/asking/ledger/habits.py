"""How a model's last answers were: what the next will probably be like."""

from __future__ import annotations

from typing import NamedTuple

from recdistill.asking.endpoint import EndpointConfig
from recdistill.asking.ledger.ledger import Ledger

_LAST = 1_000
"""Answers that are looked at."""


class Habits(NamedTuple):
    """Averages; None where nothing was answered yet."""

    bytes_a_token: float | None
    """Of prompts."""
    reply: float | None
    """Tokens of an answer."""
    seconds: float | None
    """From request to answer."""


def habits(ledger: Ledger, endpoint: EndpointConfig) -> Habits:
    """The averages over a model's last answers."""
    found = ledger.database.rows(
        "SELECT CAST(SUM(bytes) AS REAL) / SUM(prompt), AVG(completion), AVG(seconds) FROM ("
        " SELECT LENGTH(CAST(q.request AS BLOB)) AS bytes,"
        " a.prompt_tokens AS prompt, a.completion_tokens AS completion,"
        " CASE WHEN a.batch IS NULL THEN a.received_at - a.sent_at END AS seconds"
        " FROM questions q JOIN attempts a ON a.id = q.answer"
        " WHERE q.endpoint = ? AND q.model = ? AND a.prompt_tokens > 0"
        " ORDER BY a.received_at DESC LIMIT ?)",
        endpoint.identity,
        endpoint.model,
        _LAST,
    )
    return Habits(*found[0])
