"""However dear answers turn out, and whatever goes wrong: no budget is overrun, not by one token."""

from __future__ import annotations

import pytest
from billed import BillingServer, assert_bills_agree, requests
from dear import ask_with_random_budgets

from recdistill.asking import Asker, BudgetConfig, Cost, Prices, Usage


def test_random_budgets(tmp_path) -> None:
    """The benchmark does this for a thousand."""
    found = ask_with_random_budgets(120, tmp_path / "ledger.sqlite", seed=11)
    assert found.answered > 120  # they do get to ask
    assert found.left_open > 60  # and they are stopped
    assert found.overruns == 0
    assert found.misbooked == 0


@pytest.mark.parametrize("budget", [{"money": 0.002}, {"tokens": 8_000}, {"calls": 9}])
def test_an_endpoint_as_dear_as_may_be(ledger, budget) -> None:
    """Every answer as long as allowed, every byte a token, one in five requests fails."""
    with BillingServer(dear=True, errors=0.2) as server:
        endpoint = server.endpoint(concurrency=4)
        asker = Asker(endpoint, ledger, BudgetConfig(**budget))
        answers = asker.ask(requests(60, "日本語の映画の質問"))
        lines = server.lines()
    assert 0 < answers.count(None) < 60
    charged = {
        "money": sum(line["picos"] for line in lines) / 10**12,
        "tokens": sum(line["prompt"] + line["completion"] for line in lines),
        "calls": len(lines),
    }
    for name, most in budget.items():
        assert charged[name] <= most
    assert_bills_agree(ledger, lines)


def test_a_budget_is_spent_to_the_last_worst_case(server, ledger) -> None:
    """What answers did not use comes back, so that a budget of twenty worst cases buys more than twenty answers."""
    asker = Asker(server.endpoint(model="thrifty"), ledger)
    worst = asker.plan(requests(1, "question 9")).at_most.tokens
    bounded = Asker(asker.endpoint, ledger, BudgetConfig(tokens=20 * worst))
    answers = bounded.ask(requests(200))
    assert sum(answer is not None for answer in answers) > 60
    assert bounded.bill().paid.tokens > 19 * worst


def test_money_is_counted_exactly() -> None:
    """0.15 and 0.6 a million are 150,000 and 600,000 picos a token; beyond six decimals prices are rounded up."""
    assert Prices(input=0.15, output=0.6).of(Usage(3, 2)) == Cost(1, 5, 3 * 150_000 + 2 * 600_000)
    assert Prices(input=1.1e-6).of(Usage(10, 0)).picos == 20
    assert sum([Cost(picos=1)] * 10, Cost()).money == 1e-11
