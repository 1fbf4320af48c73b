"""Asking through batches: submitted once, waited for, and adopted by the next run if this one dies."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from recdistill.asking.answers import Answer
from recdistill.asking.batching.remote import RemoteBatches
from recdistill.asking.batching.results import Given, Missed, results
from recdistill.asking.costs import BudgetConfig
from recdistill.asking.endpoint import BatchConfig, EndpointConfig
from recdistill.asking.health import failed_batch
from recdistill.asking.keeping import Keeper
from recdistill.asking.ledger import Batch, Batches, Hindrance
from recdistill.asking.requests import Question
from recdistill.asking.round import Done
from recdistill.errors import EndpointError

LISTED_AFTER = 60.0
"""Seconds after which a batch that an endpoint does not know was never created, or is gone."""
_FIRST_LOOK = 1.0
"""Seconds until a batch is looked at again, at first; small ones are soon done."""
_OVER = ("completed", "expired", "cancelled")


class Batching:
    """Asks questions in batches of `endpoint.batch.size`."""

    def __init__(
        self, endpoint: EndpointConfig, keeper: Keeper, remote: RemoteBatches, done: Done
    ) -> None:
        self._keeper, self._ledger, self._remote, self._done = keeper, keeper.ledger, remote, done
        self._config, self._attempts = endpoint.batch or BatchConfig(), endpoint.attempts
        self._batches = Batches(keeper.ledger, endpoint)

    async def adopt(self, questions: Iterable[Question]) -> None:
        """Wait for what an earlier run submitted of these questions and did not live to see.

        Raises:
            EndpointError, StorageError
        """
        orphans = self._batches.adopt(question.key for question in questions)
        for batch in orphans:
            if batch.remote is None:
                await self._find(batch)
        await self._collect([batch for batch in orphans if batch.remote])

    async def ask(self, questions: Sequence[Question], account: str, budget: BudgetConfig) -> None:
        """Ask them all, each at most `attempts` times; what others ask is waited for.

        Raises:
            EndpointError: the endpoint turns batches away; those under way are adopted by the next run.
            StorageError: the ledger cannot be written.
        """
        waiting, tries = {question.key: question for question in questions}, Counter[str]()
        while waiting:
            self._report(waiting, tries)
            batches, broke = await self._submit_all(list(waiting.values()), account, budget)
            tries.update(key for batch in batches for key in batch.attempts.values())
            if batches:
                await self._collect(batches)
            elif broke:
                for key in broke:
                    self._done(waiting.pop(key), None)
            elif waiting:
                await asyncio.sleep(self._config.poll_seconds)

    def _report(self, waiting: dict[str, Question], tries: Counter[str]) -> None:
        """Take out what has an answer, or was tried often enough."""
        ended = self._keeper.known(waiting)
        for key in waiting:
            if tries[key] >= self._attempts and key not in ended:
                ended[key] = Answer(key, error=f"no answer in {tries[key]} batches", lasting=False)
        for key, answer in ended.items():
            self._done(waiting.pop(key), answer)

    async def _submit_all(
        self, questions: Sequence[Question], account: str, budget: BudgetConfig
    ) -> tuple[list[Batch], list[str]]:
        """Submit what may be sent; also tells which questions the budget does not allow now."""
        batches: list[Batch] = []
        broke: list[str] = []
        for start in range(0, len(questions), self._config.size):
            part = questions[start : start + self._config.size]
            batch, hindered = self._batches.prepare(part, account, budget)
            broke += [key for key, why in hindered.items() if why is Hindrance.BROKE]
            if batch.attempts:
                await self._submit(batch, {question.key: question.body for question in part})
                batches.append(batch)
        return batches, broke

    async def _submit(self, batch: Batch, bodies: dict[str, str]) -> None:
        lines = [_line(attempt, bodies[key]) for attempt, key in batch.attempts.items()]
        try:
            file = await self._remote.upload("".join(lines).encode())
        except EndpointError as error:
            self._batches.close(batch, "unsent", error.message)
            raise
        # From here on it may exist: should anything happen, whoever comes next looks for it.
        self._batches.submitted(batch, await self._remote.create(file, batch.key))

    async def _find(self, batch: Batch) -> None:
        """Find out whether it was submitted before someone died."""
        found = await self._remote.find(batch.key)
        too_young = batch.made_at + LISTED_AFTER - time.time()
        if found is None and too_young > 0:
            await asyncio.sleep(too_young)
            found = await self._remote.find(batch.key)
        if found is None:
            self._batches.close(batch, "unsent", "never submitted")
        else:
            self._batches.submitted(batch, found)

    async def _collect(self, batches: Iterable[Batch]) -> None:
        """Wait until all are done, and bring home what they say."""
        under_way, pause = list(batches), min(_FIRST_LOOK, self._config.poll_seconds)
        while under_way:
            over = [batch for batch in under_way if await self._is_over(batch)]
            under_way = [batch for batch in under_way if batch not in over]
            if under_way:
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._config.poll_seconds)

    async def _is_over(self, batch: Batch) -> bool:
        told = await self._remote.look(str(batch.remote))
        if told is None:
            return self._is_gone(batch)
        if told.get("status") == "failed":
            why = str(told.get("errors"))
            self._batches.close(batch, "unsent", why)
            raise failed_batch(why)
        over = told.get("status") in _OVER
        if over:
            await self._bring_home(batch, told)
        return over

    def _is_gone(self, batch: Batch) -> bool:
        """Give up a batch that the endpoint knows nothing of, unless it is too young to be known everywhere."""
        gone = time.time() > batch.made_at + LISTED_AFTER
        if gone:
            self._batches.close(batch, "lost", "the endpoint knows nothing of the batch any more")
        return gone

    async def _bring_home(self, batch: Batch, told: Any) -> None:
        lines = [
            *await self._remote.lines(told.get("output_file_id")),
            *await self._remote.lines(told.get("error_file_id")),
        ]
        found = results(lines, batch.attempts)
        with self._ledger.database.change():
            raws = [self._ledger.receive(*result) for result in found if isinstance(result, Given)]
        self._keeper.read(raws)
        with self._ledger.database.change():
            for result in found:
                key = batch.attempts.pop(result.attempt)
                if isinstance(result, Missed):
                    self._ledger.fail(*result)
                    self._ledger.give_up(key)
            self._batches.close(batch, "lost", "the batch ended without it")


def _line(attempt: str, body: str) -> str:
    return (
        f'{{"custom_id":"{attempt}","method":"POST","url":"/v1/chat/completions","body":{body}}}\n'
    )
