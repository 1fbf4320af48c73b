"""Random budgets against an endpoint that charges anything up to the worst, whether or not the answer arrives."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

from billed import request

from recdistill.asking import Asker, BudgetConfig, EndpointConfig, Ledger, Prices
from recdistill.asking.wire import LostError, Reply, UnreachedError, Wire


class DearEndpoint(Wire):
    """In place of the wire: charges anything up to the worst case, for answers that arrive and for some that do not."""

    def __init__(self, endpoint: EndpointConfig, draw: random.Random) -> None:
        self._prices, self._draw = endpoint.prices or Prices(), draw
        self.calls = self.tokens = 0
        self.money = Decimal(0)

    async def __aexit__(self, *_: object) -> None:
        pass

    async def chat(self, body: str, attempt: str) -> Reply:
        kind = self._draw.choice(["good"] * 6 + ["lost", "unreached", "500", "400", "no usage"])
        if kind == "unreached":
            raise UnreachedError("nobody there")
        self.calls += 1
        await asyncio.sleep(0)
        if kind in ("500", "400"):
            return Reply(int(kind), b"{}")
        usage = self.charge(body)
        if kind == "lost":
            raise LostError("gone")
        message = {"message": {"content": "yes"}, "finish_reason": "stop"}
        told = {"choices": [message], **({"usage": usage} if kind == "good" else {})}
        return Reply(200, json.dumps(told).encode())

    def charge(self, body: str) -> dict[str, int]:
        words = "".join(turn["content"] for turn in json.loads(body)["messages"])
        longest = len(words.encode()) + 200, json.loads(body)["max_tokens"]
        prompt, completion = (
            self._draw.choice([most, self._draw.randint(0, most)]) for most in longest
        )
        self.tokens += prompt + completion
        self.money += Decimal(str(self._prices.input)) * prompt / 10**6
        self.money += Decimal(str(self._prices.output)) * completion / 10**6
        return {"prompt_tokens": prompt, "completion_tokens": completion}


def random_budget(draw: random.Random) -> BudgetConfig:
    choices = {
        "money": round(draw.uniform(0, 0.02), 7),
        "tokens": draw.randint(0, 9_000),
        "calls": draw.randint(0, 12),
    }
    bounded = draw.sample(sorted(choices), draw.randint(1, 3))
    return BudgetConfig(**{name: choices[name] for name in bounded})


def random_endpoint(draw: random.Random, name: str) -> EndpointConfig:
    prices = Prices(input=round(draw.uniform(0, 5), 6), output=round(draw.uniform(0, 9), 6))
    return EndpointConfig(
        base_url="http://nowhere/v1",
        model=name,
        prices=prices,
        backoff=0.0001,
        concurrency=draw.randint(1, 6),
    )


def is_within(budget: BudgetConfig, charged: DearEndpoint) -> bool:
    return (
        (budget.calls is None or charged.calls <= budget.calls)
        and (budget.tokens is None or charged.tokens <= budget.tokens)
        and (budget.money is None or charged.money <= Decimal(str(budget.money)))
    )


@dataclass
class Campaign:
    """What came of many askers, each with a budget of its own."""

    budgets: int = 0
    answered: int = 0
    left_open: int = 0
    overruns: int = 0
    """By what the endpoint charged."""
    misbooked: int = 0
    """Accounts on which the ledger has less than was charged."""


def ask_with_random_budgets(budgets: int, ledger: Path, seed: int) -> Campaign:
    """A few random questions for each of so many random budgets."""
    draw, found = random.Random(seed), Campaign()
    wires: list[DearEndpoint] = []

    def wire(endpoint: EndpointConfig) -> DearEndpoint:
        wires.append(DearEndpoint(endpoint, draw))
        return wires[-1]

    with patch("recdistill.asking.asker.Wire", wire), Ledger(ledger) as opened:
        for number in range(budgets):
            budget, endpoint = random_budget(draw), random_endpoint(draw, f"model {number}")
            asker = Asker(endpoint, opened, budget)
            asked = [
                request("word " * draw.randint(0, 60), draw.randint(1, 900), seed=one)
                for one in range(draw.randint(1, 6))
            ]
            answers = asker.ask(asked)
            spent = opened.spent(asker.account)
            found.budgets += 1
            found.answered += sum(answer is not None for answer in answers)
            found.left_open += answers.count(None)
            found.overruns += not is_within(budget, wires[-1])
            found.misbooked += spent.tokens < wires[-1].tokens or spent.calls < wires[-1].calls
    return found
