"""The few words of ASGI that are spoken here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import msgspec

from recdistill.serving.problems import ProblemError, problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON, PROBLEM = "application/json", "application/problem+json"
_encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True):
    """A whole response."""

    status: int
    body: bytes
    kind: str = JSON
    """Its media type."""
    headers: dict[str, str] = {}


def answer_of(value: object) -> Answer:
    """A value as JSON, or the answer that it is already."""
    return value if isinstance(value, Answer) else Answer(200, _encode(value))


def refusal(error: ProblemError) -> Answer:
    """A problem as an answer."""
    return Answer(error.problem.status, _encode(error.problem), PROBLEM, error.headers)


async def respond(send: Send, answer: Answer) -> None:
    """Send a response. Nothing here may be kept by a cache or taken for another type."""
    headers = [
        (b"content-type", answer.kind.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *((name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def header(scope: Scope, name: bytes) -> str:
    """The value of a request's header; empty where there is none."""
    pairs: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return next((value.decode("latin-1") for key, value in pairs if key == name), "")


async def read_body(scope: Scope, receive: Receive, at_most: int) -> bytes:
    """The body of a request.

    Raises:
        ProblemError: it is larger than `at_most` bytes, or the client went away.
    """
    said = header(scope, b"content-length")
    if said.isdecimal() and len(said) < 20 and int(said) > at_most:
        raise _too_large(at_most)
    parts, size, more = list[bytes](), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise problem("too-slow", "The client went away.")
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > at_most:
            raise _too_large(at_most)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(at_most: int) -> ProblemError:
    error = problem("too-large", f"At most {at_most:,} bytes are taken.")
    error.headers["connection"] = "close"  # what is left of the body is not read
    return error
