"""One question, sent up to three times: written down before it leaves, kept before it is read."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

from recdistill.asking.answers import Answer, read
from recdistill.asking.endpoint import EndpointConfig
from recdistill.asking.estimates import likely
from recdistill.asking.health import PATIENCE, refused, sent_away
from recdistill.asking.keeping import Keeper
from recdistill.asking.ledger import Ending, Hindrance
from recdistill.asking.pace import Pace
from recdistill.asking.purse import Purse
from recdistill.asking.requests import Question
from recdistill.asking.retries import RetryBudget, Verdict, backoff, too_much, verdict
from recdistill.asking.scribe import Scribe
from recdistill.asking.wire import LostError, Reply, UnreachedError, Wire


class Trouble(NamedTuple):
    """An attempt that brought nothing, though another may."""

    what: str
    left_alone: float = 0.0
    """Seconds for which the endpoint wants to be left alone."""


class Caller:
    """Asks single questions, for many tasks at once; `calls` in all, retries aside."""

    def __init__(
        self, endpoint: EndpointConfig, keeper: Keeper, purse: Purse, wire: Wire, calls: int
    ) -> None:
        self._endpoint, self._keeper, self._purse, self._wire = endpoint, keeper, purse, wire
        self._ledger, self._scribe = keeper.ledger, Scribe(keeper.ledger)
        self._retries = RetryBudget(calls)
        self.pace = Pace(endpoint)
        self.stopped = False
        """Whether nothing more shall be sent; what is under way is still waited for."""

    async def ask(self, question: Question) -> Answer | Hindrance:
        """Ask until there is an answer, or no sense in another attempt.

        Raises:
            EndpointError: the endpoint said something that is about every question.
            StorageError: the ledger cannot be written; what was not written was not sent.
        """
        number = 0
        while True:
            await self.pace.metered(likely(question).tokens)
            outcome = await self._attempt(question)
            if not isinstance(outcome, Trouble):
                return outcome
            number += 1
            if not self._worth_another(number):
                return await self._given_up(question, f"{outcome.what} (attempt {number})")
            await asyncio.sleep(backoff(number, self._endpoint.backoff, outcome.left_alone))

    def _worth_another(self, number: int) -> bool:
        return not self.stopped and number < self._endpoint.attempts and self._retries.take()

    async def _given_up(self, question: Question, error: str) -> Answer:
        await self._scribe.write(lambda: self._ledger.give_up(question.key))
        return Answer(question.key, error=error, lasting=False)

    async def _attempt(self, question: Question) -> Answer | Trouble | Hindrance:
        """Write down that the question leaves now, and let it; where there is no money, wait for what may come back."""
        purse = self._purse
        while not self.stopped:
            seen = purse.settled
            sent = await self._scribe.write(
                lambda: self._ledger.send(question, purse.account, purse.budget)
            )
            if isinstance(sent, str):
                with purse.reservation():
                    return await self._exchange(question, sent)
            if sent is not Hindrance.BROKE or not await purse.gives_back(seen):
                return sent
        return Hindrance.STOPPED

    async def _exchange(self, question: Question, attempt: str) -> Answer | Trouble:
        try:
            await self.pace.open()
            if self.stopped:
                raise UnreachedError("nothing more is sent")
            began = time.monotonic()
            reply = await self._wire.chat(question.body, attempt)
        except UnreachedError as error:
            return await self._failed(attempt, "unsent", f"no connection: {error}")
        except LostError as error:
            return await self._failed(attempt, "lost", f"no answer: {error}")
        if verdict(reply.status, reply.body) is Verdict.ANSWER:
            return await self._kept(question, attempt, reply)
        return await self._turned_away(attempt, reply, began)

    async def _kept(self, question: Question, attempt: str, reply: Reply) -> Answer:
        # Two commits: if looking into the answer should fail, it is on the disk already.
        raw = await self._scribe.write(
            lambda: self._ledger.receive(attempt, reply.status, reply.body)
        )
        answers = await self._scribe.write(lambda: self._keeper.read([raw]))
        answer = answers[question.key]
        self.pace.good()
        if answer.usage:
            used = answer.usage.prompt + answer.usage.completion
            self.pace.tokens.correct(used - likely(question).tokens)
        return answer

    async def _turned_away(self, attempt: str, reply: Reply, began: float) -> Trouble:
        complaint = str(read(attempt, reply.status, reply.body).error)
        trouble = await self._failed(attempt, "failed", complaint, reply.status, reply.left_alone)
        if verdict(reply.status, reply.body) is Verdict.STOP:
            raise refused(self._endpoint, reply.status, complaint)
        if reply.left_alone > PATIENCE:
            raise sent_away(self._endpoint, reply.left_alone)
        self.pace.close_for(reply.left_alone)
        if too_much(reply.status):
            self.pace.too_much(began)
        return trouble

    async def _failed(
        self,
        attempt: str,
        ending: Ending,
        why: str,
        status: int | None = None,
        left_alone: float = 0.0,
    ) -> Trouble:
        await self._scribe.write(lambda: self._ledger.fail(attempt, ending, why, status))
        return Trouble(why, left_alone)
