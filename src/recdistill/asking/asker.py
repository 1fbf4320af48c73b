"""Ask many questions, pay once for each, and never more than the budget allows."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from recdistill.asking.answers import Answer
from recdistill.asking.batching import Batching, RemoteBatches
from recdistill.asking.caller import Caller
from recdistill.asking.costs import BudgetConfig, Cost, Prices
from recdistill.asking.endpoint import EndpointConfig
from recdistill.asking.estimates import forecast
from recdistill.asking.health import Health
from recdistill.asking.keeping import Keeper
from recdistill.asking.ledger import Bill, Ledger, bill
from recdistill.asking.plan import Plan
from recdistill.asking.purse import Purse
from recdistill.asking.requests import Question, Request
from recdistill.asking.round import Done, Round
from recdistill.asking.wire import Wire
from recdistill.errors import ConfigError
from recdistill.progress import Progress, SilentProgress, Task


class Asker:
    """Asks an endpoint, through a ledger, within a budget.

    Args:
        endpoint: who is asked.
        ledger: what is known already, and where answers go; kept open by whoever opened it.
        budget: what `account` may spend, in all.
        account: whose spending is counted against the budget. A name that stays the same over restarts (such as a
            hash of what is being made) makes a run that goes on remember what it spent; by default every asker
            begins at nothing.

    Raises:
        ConfigError: a budget in money, and no prices.
    """

    def __init__(
        self,
        endpoint: EndpointConfig,
        ledger: Ledger,
        budget: BudgetConfig | None = None,
        account: str | None = None,
    ) -> None:
        self.endpoint, self.ledger = endpoint, ledger
        self.budget = budget or BudgetConfig()
        self.account = account or uuid.uuid4().hex
        self._keeper = Keeper(ledger, endpoint)
        if self.budget.money is not None and endpoint.prices is None:
            raise ConfigError(
                f"A budget in money needs prices, and {endpoint.model} has none.",
                "Say prices: {input: …, output: …} a million tokens, or bound tokens or calls instead.",
            )

    def ask(
        self, requests: Sequence[Request], progress: Progress | None = None
    ) -> list[Answer | None]:
        """Get an answer to each request: from the ledger, or from the endpoint where it has none.

        Equal requests are asked once. An answer that is not `lasting` tells why there is none for now.

        Returns:
            the answers, in the order of the requests; None where the budget did not allow the question.

        Raises:
            ConfigError: a request that cannot be sent, or not under this budget; no key in the environment; an endpoint
                that no configuration of the caller's names would have to be asked.
            EndpointError: the endpoint turns everything away. What was answered is kept.
            StorageError: the ledger cannot be written. Nothing more is sent then.
        """
        questions = self._questions(requests)
        asked = {question.key: question for question in questions}
        if self.endpoint.named and (stale := self.ledger.turned_down_otherwise(asked.values())):
            self.ledger.reopen(stale)
        answers: dict[str, Answer | None] = {**self._keeper.known(asked)}
        missing = [question for key, question in asked.items() if key not in answers]
        if missing:
            self._require_named(len(missing))
            self.ledger.plan(missing)
            shown = progress or SilentProgress()
            with shown.task("asking", len(asked), "answers", done=len(answers)) as task:
                _run(self._ask(missing, answers, task))
        return [answers.get(question.key) for question in questions]

    def known(self, requests: Sequence[Request]) -> list[Answer | None]:
        """The answers that are there already, in the order of the requests; None for the others. Nobody is asked."""
        keys = [question.key for question in self._questions(requests)]
        found = self._keeper.known(set(keys))
        return [found.get(key) for key in keys]

    def plan(self, requests: Sequence[Request]) -> Plan:
        """Say what `ask` would cost, without asking.

        Raises:
            ConfigError: a request that cannot be sent, or not under this budget.
        """
        asked = {question.key: question for question in self._questions(requests)}
        known = {raw.key for raw in self.ledger.answers(asked)}
        known.difference_update(self.ledger.turned_down_otherwise(asked.values()))
        missing = [question for key, question in asked.items() if key not in known]
        spent, affordable = self.ledger.spent(self.account), 0
        for question in missing:
            if not self.budget.allows(spent + question.worst):
                break
            spent, affordable = spent + question.worst, affordable + 1
        likely, seconds = forecast(self.ledger, self.endpoint, missing)
        at_most = sum((question.worst for question in missing), Cost())
        return Plan(len(asked), len(known), len(missing), likely, at_most, affordable, seconds)

    def bill(self) -> Bill:
        """What this account has spent."""
        return bill(self.ledger, self.account)

    def _require_named(self, questions: int) -> None:
        endpoint = self.endpoint
        if not endpoint.named:
            key = f", with the key in {endpoint.api_key_env}" if endpoint.api_key_env else ""
            raise ConfigError(
                f"{questions:,} questions would go to {endpoint.model} at {endpoint.base_url}{key}: so says a folder "
                "that was read, and no configuration of yours names it.",
                "What a folder says may be somebody else's. If you trust it, name it yourself: give the configuration "
                "file in place of the run folder, or --set ….endpoint.base_url=… (and api_key_env); in Python, "
                "`load_teacher(folder, dataset, trusting=config)`.",
            )

    def _questions(self, requests: Sequence[Request]) -> list[Question]:
        questions = [Question(request, self.endpoint) for request in requests]
        if self.budget.needs_worst_case and any(q.longest_reply is None for q in questions):
            raise ConfigError(
                "A request does not say how long its answer may get, so no budget can bound what it costs.",
                "Give max_tokens in its options.",
            )
        return questions

    async def _ask(
        self, questions: Sequence[Question], answers: dict[str, Answer | None], task: Task
    ) -> None:
        done = _Tally(self.endpoint, answers, task).done
        try:
            async with Wire(self.endpoint) as wire:
                batching = Batching(
                    self.endpoint, self._keeper, RemoteBatches(self.endpoint, wire), done
                )
                await batching.adopt(questions)
                if self.endpoint.batch:
                    await batching.ask(questions, self.account, self.budget)
                else:
                    await self._ask_one_by_one(questions, wire, done)
        finally:
            self.ledger.release()

    async def _ask_one_by_one(self, questions: Sequence[Question], wire: Wire, done: Done) -> None:
        purse = Purse(self.account, self.budget)
        caller = Caller(self.endpoint, self._keeper, purse, wire, len(questions))
        asking = Round(caller, self._keeper, Health(self.endpoint), done)
        await asking.ask(questions, self.endpoint.concurrency)


class _Tally:
    """Collects answers as they come, and shows what they cost."""

    def __init__(
        self, endpoint: EndpointConfig, answers: dict[str, Answer | None], task: Task
    ) -> None:
        self._prices, self._answers, self._task = endpoint.prices or Prices(), answers, task
        self._cost, self._errors = Cost(), 0

    def done(self, question: Question, answer: Answer | None) -> None:
        self._answers[question.key] = answer
        if answer and answer.usage:
            self._cost += self._prices.of(answer.usage)
        self._errors += bool(answer and answer.error)
        self._task.advance(1, tokens=self._cost.tokens, money=self._cost.money, errors=self._errors)


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, also where a loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(1) as other:
        other.submit(asyncio.run, work).result()
