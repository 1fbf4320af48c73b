"""What was paid: what endpoints said that answers cost, and what lost ones may have cost."""

from __future__ import annotations

from dataclasses import dataclass

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


def bill(ledger: Ledger, account: str | None = None) -> Bill:
    """Add up the attempts on `account`'s budget; by default all that the ledger knows."""
    found = ledger.database.rows(
        "SELECT ending, settled, COUNT(*), SUM(calls), SUM(tokens), SUM(picos) FROM attempts"
        " WHERE calls > 0 AND (?1 IS NULL OR account = ?1) GROUP BY ending, settled",
        account,
    )
    groups = [
        (ending, bool(settled), count, Cost(*sums)) for ending, settled, count, *sums in found
    ]

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
