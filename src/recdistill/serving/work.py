"""Where answers are computed: beside the event loop, and no more of them at once than can be in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

from recdistill.serving.problems import problem

Result = TypeVar("Result")


class Level(Protocol):
    """Something that rises and falls, such as a gauge."""

    def inc(self) -> None:
        """Rise by one."""
        ...

    def dec(self) -> None:
        """Fall by one."""
        ...


class Work:
    """A thread and a short queue before it. What does not fit is turned away at once, not kept waiting."""

    def __init__(self, waiting: int, level: Level | None = None) -> None:
        """At most `waiting` pieces of work under way, those in the queue included; `level` tells others how many."""
        self._pool = ThreadPoolExecutor(1, "answers")
        self._waiting, self._level, self.under_way = waiting, level, 0

    @contextmanager
    def admitted(self) -> Generator[None, None, None]:
        """Count a piece of work that is under way.

        Raises:
            ProblemError: 503, too many are.
        """
        if self.under_way >= self._waiting:
            raise problem("busy", retry_after=1)
        self.under_way += 1
        if self._level:
            self._level.inc()
        try:
            yield
        finally:
            self.under_way -= 1
            if self._level:
                self._level.dec()

    def begin(self, work: Callable[[], Result]) -> asyncio.Future[Result]:
        """Compute something beside the loop. Nobody is turned away here; see `admitted`."""
        return asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns; a piece whose caller has given up is not begun any more.

        Raises:
            ProblemError: 503, too many are under way.
        """
        with self.admitted():
            return await self.begin(work)

    def close(self) -> None:
        """Finish what is being computed, and let go of the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)
