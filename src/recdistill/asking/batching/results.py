"""What the lines of a batch's result files say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from recdistill.asking.ledger import Ending
from recdistill.asking.retries import Verdict, verdict


class Given(NamedTuple):
    """An answer, to be kept."""

    attempt: str
    status: int
    body: bytes


class Missed(NamedTuple):
    """No answer: turned away, or never worked on, as when the batch expired."""

    attempt: str
    ending: Ending
    why: str
    status: int | None


def results(
    lines: Iterable[Mapping[str, Any]], expected: Mapping[str, Any]
) -> list[Given | Missed]:
    """What came of the `expected` attempts, joined by id, never by position.

    Of lines with one id the first counts; lines with ids that nobody sent are passed over.
    """
    found: dict[str, Given | Missed] = {}
    for line in lines:
        attempt = line.get("custom_id")
        if isinstance(attempt, str) and attempt in expected and attempt not in found:
            found[attempt] = _result(attempt, line)
    return list(found.values())


def _result(attempt: str, line: Mapping[str, Any]) -> Given | Missed:
    response = line.get("response")
    if not isinstance(response, dict):
        return Missed(attempt, "unsent", json.dumps(line.get("error")), None)
    told = response.get("status_code")
    status = told if isinstance(told, int) else 200
    body = json.dumps(response.get("body"), ensure_ascii=False)
    if verdict(status, body.encode()) is Verdict.ANSWER:
        return Given(attempt, status, body.encode())
    return Missed(attempt, "failed", body, status)
