"""Who is asking, and whether they are still alive: the kernel knows.

Every opened ledger is an owner with a name of its own and a file of that name, locked as long as its process lives.
However a process ends, SIGKILL included, its locks end with it; so whoever can lock the file of another owner knows
that the owner is dead. No clock, no heartbeat: a process that merely sleeps is never robbed. A forked child would
hold its parent's locks beyond the parent's death, so it lets go of them at birth.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
import weakref
from pathlib import Path
from typing import IO

_NEWBORN = 60.0
"""Seconds in which an owner's file may be there and not locked yet."""
_HELD: weakref.WeakSet[IO[bytes]] = weakref.WeakSet()
"""The locked files of this process."""


class Owner:
    """This opening of the ledger."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.name = uuid.uuid4().hex
        path = folder / self.name
        file = path.open("wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        _HELD.add(file)
        self.close = weakref.finalize(self, _end, file, path, os.getpid())
        """Stop being alive; happens by itself when nobody holds the owner any more."""

    def lives(self, name: str) -> bool:
        """Whether the owner called `name` is alive."""
        if name == self.name:
            return True
        try:
            with (self._folder / name).open("rb") as file:
                return not _lockable(file)
        except FileNotFoundError:
            return False

    def remove_dead(self) -> None:
        """Remove the files of the dead; names are never used again."""
        for file in self._folder.iterdir():
            if not self.lives(file.name) and _age(file) > _NEWBORN:
                file.unlink(missing_ok=True)


def _end(file: IO[bytes], path: Path, whose: int) -> None:
    if os.getpid() == whose:  # a forked child is not the owner
        path.unlink(missing_ok=True)
    file.close()


def _let_go() -> None:
    """Close what a child got from its parent; the parent's lock stays."""
    for file in _HELD:
        file.close()
    _HELD.clear()


os.register_at_fork(after_in_child=_let_go)


def _lockable(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _age(file: Path) -> float:
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
