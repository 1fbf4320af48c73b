"""What to do about what came back: the one layer that sends anything twice, without a word of sockets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from recdistill.asking.retries import backoff, retry_after
from recdistill.client.questions import Given, Question
from recdistill.errors import ConfigError, EndpointError, RequestError
from recdistill.serving.problems import Problem

VARIABLE = "RECDISTILL_API_KEY"
"""The environment variable that may hold the key."""
_PASSING = {408, 429, 502, 503, 504}


@dataclass(frozen=True)
class Persistence:
    """How often a request is repeated that may succeed later, and for how long.

    Attributes:
        attempts: at most, the first included.
        patience: seconds that may be waited, all waits of a request together.
        pause: before the second attempt at most so many seconds, before each further one twice as many (full
            jitter), on top of what the server asks for (`Retry-After`).
    """

    attempts: int = 4
    patience: float = 20.0
    pause: float = 0.1


class Attempts:
    """One request on its way."""

    def __init__(self, persistence: Persistence) -> None:
        self._persistence, self._made, self._waited = persistence, 0, 0.0

    def wait_after(self, status: int, headers: Mapping[str, str]) -> float | None:
        """Seconds to wait before the next attempt; `None` where this answer is the last word."""
        return self._wait(retry_after(headers)) if status in _PASSING else None

    def wait_after_silence(self) -> float | None:
        """The same, where nothing came back."""
        return self._wait(0.0)

    def _wait(self, left_alone: float) -> float | None:
        self._made += 1
        if self._made >= self._persistence.attempts:
            return None
        seconds = backoff(self._made, self._persistence.pause, left_alone)
        self._waited += seconds
        return seconds if self._waited <= self._persistence.patience else None


def understood(question: Question[Given], status: int, content: bytes) -> Given:
    """An answer as what the question gives.

    Raises:
        RequestError: the server refused it.
        EndpointError: what came back is no answer of such a server.
    """
    try:
        if status == 200:
            return msgspec.json.decode(content, type=question.gives)
        told = msgspec.json.decode(content, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise EndpointError(
            f"What answers {question.method} {question.path} with status {status} is no server of bundles.",
            "Is the address right, and is the proxy before it well?",
        ) from None
    kind = told.type.rpartition(":")[2]
    where = f" ({told.field})" if told.field else ""
    message = f"{told.title.rstrip('.')}{where}: {told.detail}" if told.detail else told.title
    raise RequestError(message, told.hint, status=status, kind=kind, field=told.field)


def unreachable(url: str, error: Exception) -> EndpointError:
    """Nothing came back, however often it was tried."""
    return EndpointError(
        f"{url} does not answer ({type(error).__name__}).", "Does the server run, and is it there?"
    )


def headers(key: str | None) -> dict[str, str]:
    """What goes with every request.

    Raises:
        ConfigError: there is no key, or it is none.
    """
    key = key or os.environ.get(VARIABLE, "")
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            "The client needs an API key.",
            f"Client(url, key), or ${VARIABLE}. `recdistill keys add` makes one.",
        )
    return {"authorization": f"Bearer {key}", "accept": "application/json"}
