"""A line of JSON for every request: what was done, how long it took, and of nobody who asked or whom it was about."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from recdistill.progress import Stream

_encode = msgspec.json.Encoder().encode


class Journal:
    """Writes lines. What clients wrote (addresses, bodies, ids, keys) is never given to it."""

    def __init__(self, stream: Stream | None) -> None:
        """`None` keeps no journal."""
        self._stream = stream

    def request(
        self, number: str, operation: str, status: int, seconds: float, problem: str, key: str
    ) -> None:
        """An answer was given. `operation` is the table's name, `key` the public half of a key."""
        told = {"operation": operation, "status": status, "ms": round(seconds * 1000, 3)}
        self._write("request", {"request": number} | told | {"problem": problem, "key": key})

    def failure(self, number: str, error: Exception) -> None:
        """An answer failed: where, but not the words of the error, which may hold what a client wrote."""
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in frames]
        told = {"error": type(error).__name__, "at": places[-8:]}
        self._write("failure", {"request": number} | told)

    def happened(self, what: str, **facts: str | int | float) -> None:
        """Something of the server itself, such as another bundle."""
        self._write(what, facts)

    def _write(self, what: str, facts: Mapping[str, object]) -> None:
        if self._stream is None:
            return
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "what": what}
        kept = {name: value for name, value in facts.items() if value != ""}
        self._stream.write(_encode(line | kept).decode() + "\n")
        self._stream.flush()
