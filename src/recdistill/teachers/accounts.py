"""What a teacher's words cost so far, and how many of them meant something: for those who keep an account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Account:
    """What is known; `None` where nobody counted.

    Attributes:
        calls: requests that were answered.
        tokens: read and written by the teacher.
        money: paid, in the currency of the endpoint's prices.
        seconds: waited for answers.
        named: items that it named.
        in_catalogue: how many of these the catalogue has.
    """

    calls: int | None = None
    tokens: int | None = None
    money: float | None = None
    seconds: float | None = None
    named: int | None = None
    in_catalogue: int | None = None

    @property
    def grounded(self) -> float | None:
        """The share of what it named that can be recommended."""
        if not self.named or self.in_catalogue is None:
            return None
        return self.in_catalogue / self.named

    def facts(self) -> dict[str, Any]:
        """As plain data, without what nobody counted."""
        found = {**asdict(self), "grounded": self.grounded}
        return {name: value for name, value in found.items() if value is not None}


def together(accounts: Iterable[Account]) -> Account:
    """What several come to; of what one did not count, nobody knows."""
    rows = [asdict(account) for account in accounts]
    return Account(
        **{name: _sum([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    )


def _sum(values: list[Any]) -> Any:
    return None if None in values else sum(values)


@runtime_checkable
class KeepsAccount(Protocol):
    """A judge, a model or a teacher that counts what it says."""

    def account(self) -> Account:
        """What was counted so far, earlier runs of the same teacher included where they are known."""
        ...


def account_of(*parts: object) -> Account | None:
    """The account of the first of `parts` (a model, its judge, …) that keeps one."""
    return next((part.account() for part in parts if isinstance(part, KeepsAccount)), None)
