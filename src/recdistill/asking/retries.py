"""What to do about what came back: keep it, ask again, or stop. The only layer that sends anything twice."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

_PASSING = {408, 409, 425, 429}
_ABOUT_ALL = {401, 402, 403, 404, 405}
_TOO_MUCH = {429, 503, 529}
_NO_CREDIT = b"insufficient_quota"
"""The one 429 that no waiting helps."""
_BAD_KEY = re.compile(
    rb'"(API_KEY_INVALID|invalid_api_key)"|"message"\s*:\s*"[a-z ]{0,40}\bAPI[ _]key\b',
    re.IGNORECASE,
)
"""What a 400 says that means 401 (Gemini's does): a complaint that begins with the key. Further on a complaint may
quote the prompt, so nothing is read there."""


class Verdict(Enum):
    """What an HTTP answer is good for."""

    ANSWER = "keep it: what the model said, or what is wrong with this question and stays so"
    AGAIN = "it may pass: ask again"
    STOP = "it is about every question: ask no more"


def verdict(status: int, body: bytes) -> Verdict:
    """Judge an answer by its status; what is in it is for readers, after it is kept."""
    if status in _ABOUT_ALL or 300 <= status < 400 or _is_about_the_account(status, body):
        return Verdict.STOP
    return Verdict.AGAIN if status in _PASSING or status >= 500 else Verdict.ANSWER


def too_much(status: int) -> bool:
    """Whether the endpoint says that it is asked too much at once."""
    return status in _TOO_MUCH


def retry_after(headers: Mapping[str, str]) -> float:
    """The seconds that an endpoint wants to be left alone: given in milliseconds, seconds, or as a date (RFC 9110,
    10.2.3), which is read by the endpoint's own clock where it shows one. 0 where it says nothing, or nonsense."""
    if re.fullmatch(r"\d{1,9}(\.\d+)?", given := headers.get("retry-after-ms", "").strip()):
        return float(given) / 1000
    if re.fullmatch(r"\d{1,9}(\.\d+)?", given := headers.get("retry-after", "").strip()):
        return float(given)
    until = _date(given)
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds()) if until else 0.0


def backoff(attempt: int, longest: float, left_alone: float) -> float:
    """How long to wait after attempt number `attempt` (from 1): full jitter, on top of what the endpoint wants."""
    return left_alone + random.uniform(0.0, longest * 2.0 ** (attempt - 1))


class RetryBudget:
    """At most a tenth of `calls` are repeated, or a few where these are few: retries must not feed an overload."""

    def __init__(self, calls: int, share: float = 0.1, first: int = 10) -> None:
        self._left = max(first, int(share * calls))

    def take(self) -> bool:
        """Whether one more retry is within; if so, it is taken."""
        self._left -= 1
        return self._left >= 0


def _is_about_the_account(status: int, body: bytes) -> bool:
    """Whether a status that is about one question elsewhere is about the key or the credit this time."""
    return (status == 429 and _NO_CREDIT in body) or (status == 400 and bool(_BAD_KEY.search(body)))


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
