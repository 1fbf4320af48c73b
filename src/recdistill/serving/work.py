"""Where answers are computed: beside the event loop, and no more of them at once than can be in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from recdistill.serving.problems import problem

Result = TypeVar("Result")


class Work:
    """A thread and a short queue before it. What does not fit is turned away at once, not kept waiting."""

    def __init__(self, waiting: int) -> None:
        """At most `waiting` pieces of work under way, those in the queue included."""
        self._pool = ThreadPoolExecutor(1, "answers")
        self._waiting, self.under_way = waiting, 0

    @contextmanager
    def admitted(self) -> Generator[None, None, None]:
        """Count a piece of work that is under way.

        Raises:
            ProblemError: 503, too many are.
        """
        if self.under_way >= self._waiting:
            raise problem("busy", retry_after=1)
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

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
