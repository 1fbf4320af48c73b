"""Asking: in order, once for each question, from the ledger when it is known, never beyond the budget."""

from __future__ import annotations

import asyncio

import pytest
from billed import PRICES, BillingServer, request, requests

from recdistill.asking import Asker, BudgetConfig, Ledger
from recdistill.errors import ConfigError


def paid_for(server: BillingServer, asker: Asker, asked) -> list[dict]:
    """The server's lines about these requests."""
    return server.about(asked, asker.endpoint)


def test_answers_come_in_the_order_of_the_requests(server, ledger) -> None:
    asker = Asker(server.endpoint(model="order"), ledger)
    asked = requests(30)
    answers = asker.ask(asked)
    assert [answer.key for answer in answers] == [one.key(asker.endpoint) for one in asked]
    assert len({answer.text for answer in answers}) == 30
    assert answers[0].finish == "stop"
    assert answers[0].logprobs[0]["logprob"] == -0.5
    assert answers[0].usage.completion >= 1


def test_equal_requests_are_asked_once(server, ledger) -> None:
    asker = Asker(server.endpoint(model="equal"), ledger)
    asked = [request("a"), request("b"), request("a"), request("a")]
    answers = asker.ask(asked)
    assert answers[0] == answers[2] == answers[3] != answers[1]
    assert len(paid_for(server, asker, asked)) == 2


def test_what_is_known_costs_nothing_even_to_another_run(server, ledger) -> None:
    asker = Asker(server.endpoint(model="known"), ledger)
    first = asker.ask(requests(10))
    with Ledger(ledger.path) as other:
        later = Asker(server.endpoint(model="known"), other, BudgetConfig(calls=1))
        assert later.ask(requests(11))[:10] == first
        assert later.bill().calls == 1
    assert len(paid_for(server, asker, requests(11))) == 11


def test_one_edited_text_is_one_more_call(server, ledger) -> None:
    asker = Asker(server.endpoint(model="edited"), ledger)
    asker.ask(requests(20))
    edited = [*requests(20)[:7], request("question 7, edited"), *requests(20)[8:]]
    asker.ask(edited)
    assert asker.bill().calls == 21


def held_to(schema: object, *texts: str) -> list:
    form = {"type": "json_schema", "json_schema": {"name": "ranking", "schema": schema}}
    return [request(text, response_format=form) for text in texts]


def test_another_schema_costs_no_call(server, ledger) -> None:
    asker = Asker(server.endpoint(model="schema"), ledger)
    first = asker.ask(held_to({"type": "object"}, "a", "b"))
    other = held_to({"type": "object", "required": ["ranking"]}, "a", "b", "c")
    assert (asker.plan(other).known, asker.plan(other).calls) == (2, 1)
    assert asker.ask(other)[:2] == first
    assert asker.bill().calls == 3


def test_what_was_complained_of_is_asked_again_with_another_schema(server, ledger) -> None:
    """A complaint (400) is about the bytes that were sent; with the same ones it stays an answer."""
    asker = Asker(server.endpoint(model="refused schema"), ledger)
    before, after = held_to({"bad": 1}, "[[400 x1]] a"), held_to({"good": 1}, "[[400 x1]] a")
    server_sees = [*before, *after]
    assert asker.ask(before)[0].error
    assert asker.ask(before)[0].error
    assert len(paid_for(server, asker, server_sees)) == 1
    complained = held_to({"bad": 2}, "[[400 x9]] b")
    assert asker.ask(complained)[0].error
    mended = held_to({"good": 2}, "[[400 x9]] b")
    assert asker.plan(mended).calls == 1
    assert asker.ask(mended)[0].error
    assert asker.ask(mended)[0].error
    assert len(paid_for(server, asker, [*complained, *mended])) == 2


def test_the_bill_is_the_servers_to_the_last_pico(server, ledger) -> None:
    asker = Asker(server.endpoint(model="bill"), ledger)
    asker.ask(requests(25))
    lines = paid_for(server, asker, requests(25))
    paid = asker.bill().paid
    assert paid.calls == len(lines) == 25
    assert paid.picos == sum(line["picos"] for line in lines) > 0
    assert paid.tokens == sum(line["prompt"] + line["completion"] for line in lines)


@pytest.mark.parametrize("budget", [{"calls": 7}, {"money": 0.0005}, {"tokens": 1_500}])
def test_a_budget_leaves_questions_open(server, ledger, budget) -> None:
    asker = Asker(server.endpoint(model=str(budget)), ledger, BudgetConfig(**budget))
    answers = asker.ask(requests(40))
    open_ones = [answer for answer in answers if answer is None]
    assert 0 < len(open_ones) < 40
    paid = asker.bill().paid
    assert asker.budget.allows(paid)
    assert len(paid_for(server, asker, requests(40))) == paid.calls == 40 - len(open_ones)
    if "calls" in budget:
        assert paid.calls == 7


def test_an_account_remembers_what_it_spent(server, ledger) -> None:
    endpoint = server.endpoint(model="account")
    for total in (6, 10, 10):
        asker = Asker(endpoint, ledger, BudgetConfig(calls=total), account="labels")
        asker.ask(requests(40))
        assert asker.bill().calls == total
    other = Asker(endpoint, ledger, BudgetConfig(calls=3), account="others")
    assert sum(answer is not None for answer in other.ask(requests(40))) == 13


def test_a_plan_tells_what_asking_then_costs(server, ledger) -> None:
    endpoint = server.endpoint(model="plan")
    asker = Asker(endpoint, ledger, BudgetConfig(calls=30))
    asker.ask(requests(10))
    plan = asker.plan(requests(50) * 2)
    assert (plan.questions, plan.known, plan.calls, plan.affordable) == (50, 10, 40, 20)
    assert plan.likely.picos <= plan.at_most.picos
    assert plan.seconds > 0
    assert "40 calls (10 of 50 known)" in str(plan)
    assert len(paid_for(server, asker, requests(50))) == 10  # a plan asks nothing
    Asker(endpoint, ledger).ask(requests(50))
    paid = [line["picos"] for line in paid_for(server, asker, requests(50))][10:]
    assert sum(paid) <= plan.at_most.picos
    assert plan.likely.picos == pytest.approx(sum(paid), rel=0.3)


def test_a_plan_of_a_model_never_asked_bounds_the_answers(server, ledger) -> None:
    plan = Asker(server.endpoint(model="never"), ledger).plan([request("x" * 400, max_tokens=90)])
    assert plan.likely.tokens == pytest.approx(400 / 4 + 90, abs=40)
    assert plan.seconds is None


def test_a_budget_needs_requests_that_bound_their_answers(server, ledger) -> None:
    asker = Asker(server.endpoint(), ledger, BudgetConfig(tokens=1_000))
    with pytest.raises(ConfigError, match="how long its answer"):
        asker.ask([request("hi", max_tokens=None)])
    with pytest.raises(ConfigError, match="needs prices"):
        Asker(server.endpoint(prices=None), ledger, BudgetConfig(money=1.0))


def test_asking_works_where_a_loop_runs_already(server, ledger) -> None:
    async def notebook() -> object:
        return Asker(server.endpoint(model="notebook", prices=PRICES), ledger).ask(requests(2))

    assert all(answer.text for answer in asyncio.run(notebook()))


def test_nothing_to_ask_needs_no_endpoint(ledger) -> None:
    with BillingServer() as server:
        endpoint = server.endpoint(known_as="gone")
        first = Asker(endpoint, ledger).ask(requests(3))
    assert Asker(endpoint, ledger).ask(requests(3)) == first
    assert Asker(endpoint, ledger).ask([]) == []


def test_what_is_known_is_told_and_nobody_is_asked(server, ledger) -> None:
    asker = Asker(server.endpoint(model="remembered"), ledger)
    assert asker.known(requests(3)) == [None] * 3
    answers = asker.ask(requests(4))
    told = asker.known([*requests(6)[2:], request("question 2"), *requests(3)])
    assert told == [*answers[2:], None, None, asker.known([request("question 2")])[0], *answers[:3]]
    assert len(paid_for(server, asker, requests(6))) == 4
