"""What was paid: what endpoints said that answers cost, and what lost ones may have cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from recdistill.asking.costs import Cost
from recdistill.asking.ledger.ledger import Ledger


@dataclass(frozen=True)
class Bill:
    """The attempts of an account, or of all."""

    calls: int
    """Requests that left, repeated ones included."""
    answers: int
    """Of them, those that brought an answer."""
    failed: int
    """Of them, those that the endpoint turned away (and did not charge)."""
    lost: int
    """Of them, those of which nothing was heard: a crash, a broken connection, a time limit."""
    paid: Cost
    """What the answers cost, as the endpoint counted."""
    maybe: Cost
    """What else may have been charged, at most: lost attempts, and answers that did not say what they used."""


class Customer(NamedTuple):
    """Who was asked, and on whose budget."""

    endpoint: str
    model: str
    account: str | None
    """None: of all accounts together."""


def bill(ledger: Ledger, account: str | None = None) -> Bill:
    """Add up the attempts on `account`'s budget; by default all that the ledger knows."""
    found = ledger.database.rows(
        f"SELECT {_SUMS} FROM attempts a"
        " WHERE calls > 0 AND (?1 IS NULL OR account = ?1) GROUP BY ending, settled",
        account,
    )
    return _added_up(found)


def bills(ledger: Ledger, by_account: bool = False) -> dict[Customer, Bill]:
    """The bill of each model at each endpoint, those of its accounts apart if asked for."""
    account = "a.account" if by_account else "NULL"
    rows = ledger.database.rows(
        f"SELECT q.endpoint, q.model, {account} AS payer, {_SUMS} FROM attempts a JOIN questions q ON q.key = a.key"
        " WHERE a.calls > 0 GROUP BY q.endpoint, q.model, payer, a.ending, a.settled"
        " ORDER BY q.endpoint, q.model, payer"
    )
    found: dict[Customer, list[Sequence[Any]]] = {}
    for endpoint, model, payer, *sums in rows:
        found.setdefault(Customer(endpoint, model, payer), []).append(sums)
    return {customer: _added_up(groups) for customer, groups in found.items()}


_SUMS = "a.ending, a.settled, COUNT(*), SUM(a.calls), SUM(a.tokens), SUM(a.picos)"


def _added_up(sums: Iterable[Sequence[Any]]) -> Bill:
    groups = [(ending, bool(settled), count, Cost(*cost)) for ending, settled, count, *cost in sums]

    def count(*endings: str) -> int:
        return sum(number for ending, _, number, _ in groups if ending in endings)

    return Bill(
        calls=sum(number for _, _, number, _ in groups),
        answers=count("answered"),
        failed=count("failed"),
        lost=count("lost", "open"),
        paid=sum((cost for _, settled, _, cost in groups if settled), Cost()),
        maybe=sum((cost for _, settled, _, cost in groups if not settled), Cost()),
    )
