"""The endpoint's side of batches: `/files` and `/batches`, as OpenAI has them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from recdistill.asking.answers import read
from recdistill.asking.endpoint import BatchConfig, EndpointConfig
from recdistill.asking.health import PATIENCE, refused, senseless, sent_away, unreachable
from recdistill.asking.retries import Verdict, backoff, verdict
from recdistill.asking.wire import LostError, UnreachedError, Wire
from recdistill.files import parse_json

OURS = "recdistill_batch"
"""Where the metadata of a batch hold our key."""
_LONGEST_FILE = 2**30
_GONE = {404, 410}
_PAGE = "100"
T = TypeVar("T")


class PassingError(Exception):
    """An error by status that may pass."""

    def __init__(self, status: int, left_alone: float) -> None:
        super().__init__(f"HTTP {status}")
        self.left_alone = left_alone


class GoneError(Exception):
    """What was looked for is not there: it expired, was deleted, or never was."""


class RemoteBatches:
    """Files and batches at an endpoint. Nothing here is charged, except what `create` sets going.

    Raises:
        EndpointError: on any verb: it is turned away, or there is no answer after a few attempts.
    """

    def __init__(self, endpoint: EndpointConfig, wire: Wire) -> None:
        self._endpoint, self._wire = endpoint, wire
        self._window = (endpoint.batch or BatchConfig()).window

    async def upload(self, lines: bytes) -> str:
        """Store a file of requests; returns its id."""
        file = ("batch.jsonl", lines, "application/jsonl")
        parts = {"data": {"purpose": "batch"}, "files": {"file": file}}
        return self._id(await self._patiently(lambda: self._told("POST", "/files", **parts)))

    async def create(self, file: str, key: str) -> str:
        """Set a batch going and return its id: one for each `key`, whatever gets lost on the way."""
        asked = {
            "input_file_id": file,
            "endpoint": "/v1/chat/completions",
            "completion_window": self._window,
            "metadata": {OURS: key},
        }
        tried = False

        async def once() -> str:
            nonlocal tried
            found = await self._find(key) if tried else None
            tried = True
            return found or self._id(await self._told("POST", "/batches", json=asked))

        return await self._patiently(once)

    async def find(self, key: str) -> str | None:
        """The id of the batch that carries our `key`, if there is one."""
        return await self._patiently(lambda: self._find(key))

    async def look(self, remote: str) -> Mapping[str, Any] | None:
        """How a batch is getting on: `status`, `output_file_id`, `error_file_id`, …; None where there is none."""
        try:
            return await self._patiently(lambda: self._told("GET", f"/batches/{remote}"))
        except GoneError:
            return None

    async def lines(self, file: str | None) -> list[dict[str, Any]]:
        """The lines of a result file, those that can be read; none of a file that is not kept any more."""
        if not file:
            return []
        path = f"/files/{file}/content"
        try:
            body = await self._patiently(lambda: self._once("GET", path, longest=_LONGEST_FILE))
        except GoneError:
            return []
        return [line for line in map(_object, body.splitlines()) if line]

    async def _find(self, key: str) -> str | None:
        after: dict[str, str] = {}
        while True:
            try:
                page = await self._told("GET", "/batches", params={"limit": _PAGE, **after})
            except GoneError:  # an endpoint that lists no batches has none
                return None
            batches = _objects(page.get("data"))
            for batch in batches:
                metadata = batch.get("metadata")
                if isinstance(metadata, dict) and metadata.get(OURS) == key:
                    return self._id(batch)
            last = {"after": self._id(batches[-1])} if batches else after
            if last == after or not page.get("has_more"):
                return None
            after = last

    def _id(self, told: Mapping[str, Any]) -> str:
        """What the endpoint calls a file or a batch."""
        if not isinstance(found := told.get("id"), str | int):
            raise senseless(self._endpoint, "a file or a batch without an id")
        return str(found)

    async def _told(self, method: str, path: str, **parts: Any) -> dict[str, Any]:
        return _object(await self._once(method, path, **parts))

    async def _once(self, method: str, path: str, **parts: Any) -> bytes:
        reply = await self._wire.call(method, path, **parts)
        if verdict(reply.status, reply.body) is Verdict.AGAIN:
            if reply.left_alone > PATIENCE:
                raise sent_away(self._endpoint, reply.left_alone)
            raise PassingError(reply.status, reply.left_alone)
        if method == "GET" and reply.status in _GONE:
            raise GoneError
        if reply.status >= 300:
            raise refused(self._endpoint, reply.status, read(path, reply.status, reply.body).error)
        return reply.body

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        number = 0
        while True:
            number += 1
            try:
                return await ask()
            except (LostError, UnreachedError, PassingError) as error:
                if number == self._endpoint.attempts:
                    raise unreachable(self._endpoint, str(error)) from None
                left_alone = error.left_alone if isinstance(error, PassingError) else 0.0
            await asyncio.sleep(backoff(number, self._endpoint.backoff, left_alone))


def _objects(told: Any) -> list[dict[str, Any]]:
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def _object(text: bytes) -> dict[str, Any]:
    """A JSON object; what is none is as good as empty."""
    try:
        found = parse_json(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
