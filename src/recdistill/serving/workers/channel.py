"""What a supervisor and its workers say to each other: small JSON messages over a pair of sockets, with files."""

from __future__ import annotations

import socket
from typing import Final

import msgspec

_LENGTH: Final = 4
_MOST_FILES: Final = 64


class Begin(msgspec.Struct, tag=True, frozen=True):
    """To a new worker: what to do (an `Assignment` as JSON)."""

    assignment: str


class Prepare(msgspec.Struct, tag=True, frozen=True):
    """To a worker: open a bundle and ask it, beside the one that answers. The files come along, in this order."""

    number: int
    path: str
    files: list[str]


class Take(msgspec.Struct, tag=True, frozen=True):
    """To a worker: answer from what was prepared."""

    number: int


class Tell(msgspec.Struct, tag=True, frozen=True):
    """To one worker: count a bundle that was refused, and write it down."""

    why: str


class Ready(msgspec.Struct, tag=True, frozen=True):
    """From a worker: this is prepared."""

    number: int


class Refused(msgspec.Struct, tag=True, frozen=True):
    """From a worker: this cannot be answered from."""

    number: int
    why: str


class Serving(msgspec.Struct, tag=True, frozen=True):
    """From a worker: it accepts requests now."""


class Failed(msgspec.Struct, tag=True, frozen=True):
    """From a worker: it cannot begin at all."""

    why: str
    hint: str


Message = Begin | Prepare | Take | Tell | Ready | Refused | Serving | Failed
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Message).decode


class Channel:
    """One end of the pair. One thread sends and one receives."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def fileno(self) -> int:
        """For selectors."""
        return self._end.fileno()

    def send(self, message: Message, files: tuple[int, ...] = ()) -> None:
        """Say something; descriptors of `files` are handed over.

        Raises:
            OSError: the other side is gone.
        """
        data = _encode(message)
        head = len(data).to_bytes(_LENGTH, "big")
        # The descriptors ride on the first byte: whoever reads the head has them.
        socket.send_fds(self._end, [head], list(files))
        self._end.sendall(data)

    def receive(self) -> tuple[Message, list[int]]:
        """What the other side says next, and descriptors that are now the caller's.

        Raises:
            EOFError: it is gone.
        """
        head, files, _, _ = socket.recv_fds(self._end, _LENGTH, _MOST_FILES)
        head += self._exactly(_LENGTH - len(head)) if head else b""
        if not head:
            raise EOFError
        return _decode(self._exactly(int.from_bytes(head, "big"))), files

    def close(self) -> None:
        """Hang up."""
        self._end.close()

    def _exactly(self, size: int) -> bytes:
        parts, left = list[bytes](), size
        while left:
            part = self._end.recv(left)
            if not part:
                raise EOFError
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
