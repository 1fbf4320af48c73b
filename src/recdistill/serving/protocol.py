"""HTTP as uvicorn speaks it, with bounds on what comes before a body: how large a head may be, how long in coming."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from recdistill.serving.limits import Limits
from recdistill.serving.problems import problem
from recdistill.serving.wire import refusal

_REASON: Final = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}


class BoundedProtocol(HttpToolsProtocol):
    """A connection. Whoever sends a head that has no end, or sends it drop by drop, is hung up on."""

    limits = Limits()

    def connection_made(self, transport: Any) -> None:
        """A client came."""
        super().connection_made(transport)
        self._loose, self._head, self._kind = 0, 0, "not-http"
        self._timer: asyncio.TimerHandle | None = None
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came. Those that belong to no body are counted: the parser keeps them until a line is whole."""
        self._loose += len(data)
        super().data_received(data)
        if self._loose > self.limits.head and not self.transport.is_closing():
            self._kind = "head-too-large"
            self.send_400_response("")
        elif self._loose and self._timer is None and not self.transport.is_closing():
            self._wait()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of a head, or after a body."""
        self._count(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._loose = 0
        self._arrived()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body; its size is the router's affair."""
        self._loose = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._loose = 0
        self._arrived()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong, and hang up. `msg` is uvicorn's word for it."""
        answer = refusal(problem(self._kind))
        head = (
            b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        )
        told = (answer.status, _REASON[answer.status], answer.kind.encode(), len(answer.body))
        self.transport.write(head % told + answer.body)
        self.transport.close()

    def _count(self, *parts: bytes) -> None:
        self._head += sum(map(len, parts))
        if self._head > self.limits.head:
            self._kind = "head-too-large"
            raise ValueError(self._kind)  # the parser stops, and `send_400_response` is called

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.limits.arrival, self._late)

    def _arrived(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.abort()


def bounded(limits: Limits) -> type[Any]:
    """The protocol with these bounds."""
    return type("Bounded", (BoundedProtocol,), {"limits": limits})
