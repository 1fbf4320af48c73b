"""Many questions that have no answer yet, asked at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from recdistill.asking.answers import Answer
from recdistill.asking.caller import Caller
from recdistill.asking.health import Health
from recdistill.asking.keeping import Keeper
from recdistill.asking.ledger import Hindrance
from recdistill.asking.requests import Question

_LOOK_AGAIN = (0.05, 2.0)
"""Seconds between looks at what others are asking: at first, and at most."""

Done = Callable[[Question, Answer | None], None]
"""Told of each question as it ends; None: the budget did not allow it."""


class Round:
    """Asks questions with as many tasks as the endpoint allows.

    What others (processes, batches) are asking already is not asked here: it waits for them, and takes over if they
    die.
    """

    def __init__(self, caller: Caller, keeper: Keeper, health: Health, done: Done) -> None:
        self._caller, self._keeper, self._health, self._done = caller, keeper, health, done
        self._queue: deque[Question] = deque()
        self._busy: list[Question] = []

    async def ask(self, questions: Iterable[Question], tasks: int) -> None:
        """Ask them all. Before it fails or is cancelled, what is under way comes home.

        Raises:
            EndpointError: the endpoint is not worth asking further.
            StorageError: the ledger cannot be written.
        """
        self._busy, pause = list(questions), _LOOK_AGAIN[0]
        while self._busy:
            self._sort_out()
            await self._all_at_work(min(tasks, len(self._queue)))
            if self._busy:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LOOK_AGAIN[1])

    def _sort_out(self) -> None:
        """Report what others have answered, and queue what nobody asks."""
        answered = self._keeper.known(question.key for question in self._busy)
        open_ones, self._busy = self._busy, []
        for question in open_ones:
            if question.key in answered:
                self._done(question, answered[question.key])
            elif self._keeper.ledger.hindrance(question):
                self._busy.append(question)
            else:
                self._queue.append(question)

    async def _all_at_work(self, tasks: int) -> None:
        workers = [asyncio.create_task(self._work()) for _ in range(tasks)]
        if not workers:
            return
        try:
            await asyncio.wait(workers)
        except asyncio.CancelledError:  # Ctrl-C; a second one does not wait
            self._stop()
            await asyncio.wait(workers)
            raise
        for error in filter(None, [worker.exception() for worker in workers]):
            raise error

    async def _work(self) -> None:
        try:
            while self._queue:
                async with self._caller.pace.place():
                    if self._queue:
                        await self._one(self._queue.popleft())
        except BaseException:
            self._stop()
            raise

    async def _one(self, question: Question) -> None:
        outcome = await self._caller.ask(question)
        if isinstance(outcome, Answer):
            self._done(question, outcome)
            self._health.watch(outcome.error)
        elif outcome is Hindrance.BROKE:
            self._done(question, None)
        else:  # someone was quicker
            self._busy.append(question)

    def _stop(self) -> None:
        self._caller.stopped = True
        self._queue.clear()
