"""Writes to the ledger for many tasks at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from recdistill.asking.ledger import Ledger

T = TypeVar("T")
Verb = Callable[[], Any]


class Scribe:
    """What is to be written while it writes goes into the next commit together: a disk that takes milliseconds to
    make a commit safe takes no longer for fifty, and requests go on meanwhile."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[tuple[Verb, asyncio.Future[Any]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, verb: Callable[[], T]) -> T:
        """Do something to the ledger; when this returns, it is on the disk.

        Raises:
            StorageError: the disk refused; nothing was written.
        """
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((verb, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await done

    async def _write(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting, []
            found = await asyncio.to_thread(self._commit, [verb for verb, _ in together])
            for (_, done), result in zip(together, found, strict=True):
                if done.done():  # whoever asked was cancelled
                    continue
                if isinstance(result, Exception):
                    done.set_exception(result)
                else:
                    done.set_result(result)
        self._writing = None

    def _commit(self, verbs: list[Verb]) -> list[Any]:
        """What came of each, in one commit; where one fails, in one commit each, so that no other suffers."""
        try:
            with self._ledger.database.change():
                return [verb() for verb in verbs]
        except Exception:
            return [self._commit_alone(verb) for verb in verbs]

    def _commit_alone(self, verb: Verb) -> Any:
        try:
            with self._ledger.database.change():
                return verb()
        except Exception as error:
            return error
