"""Where answers are computed: beside the event loop, and no more of them at once than can be in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from recdistill.serving.problems import problem

Result = TypeVar("Result")


class Work:
    """A few threads and a short queue before them. What does not fit is turned away at once, not kept waiting."""

    def __init__(self, waiting: int, threads: int = 1) -> None:
        """At most `waiting` pieces of work under way, those in the queue included."""
        self._pool = ThreadPoolExecutor(threads, "answers")
        self._waiting, self.under_way = waiting, 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns; a piece whose caller has given up is not begun any more.

        Raises:
            ProblemError: 503, too many are under way.
        """
        if self.under_way >= self._waiting:
            raise problem("busy", retry_after=1)
        self.under_way += 1
        try:
            return await self.probe(work)
        finally:
            self.under_way -= 1

    async def probe(self, work: Callable[[], Result]) -> Result:
        """As `run`, for questions of the server to itself: they wait with the others, but are never turned away."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Finish what is being computed, and let go of the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
