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
        constrained: whether it could not have named any other.
    """

    calls: int | None = None
    tokens: int | None = None
    money: float | None = None
    seconds: float | None = None
    named: int | None = None
    in_catalogue: int | None = None
    constrained: bool | None = None

    @property
    def grounded(self) -> float | None:
        """The share of what it named that can be recommended; `None` of who names nothing."""
        if self.constrained:
            return 1.0
        if not self.named or self.in_catalogue is None:
            return None
        return self.in_catalogue / self.named

    def facts(self) -> dict[str, Any]:
        """As plain data, without what nobody counted."""
        found = {**asdict(self), "grounded": self.grounded}
        return {name: value for name, value in found.items() if value is not None}


def together(accounts: Iterable[Account]) -> Account:
    """What several come to. Of what one who is paid did not count, nobody knows; who makes no calls costs nothing, and
    who names nothing changes no share."""
    given = [*accounts]
    paid = [one for one in given if one.calls is not None]
    naming = [one for one in given if one.named is not None]
    parts = {
        "calls": paid,
        "tokens": paid,
        "money": paid,
        "seconds": paid,
        "named": naming,
        "in_catalogue": naming,
    }
    constrained = bool(given) and all(one.constrained for one in given)
    return Account(
        **{name: _sum([getattr(one, name) for one in of]) for name, of in parts.items()},
        constrained=constrained or None,
    )


def _sum(values: list[Any]) -> Any:
    return None if None in values or not values else sum(values)


@runtime_checkable
class KeepsAccount(Protocol):
    """A judge, a model or a teacher that counts what it says."""

    def account(self) -> Account:
        """What was counted so far, earlier runs of the same teacher included where they are known."""
        ...


def account_of(*parts: object) -> Account | None:
    """The account of the first of `parts` (a model, its judge, …) that keeps one."""
    return next((part.account() for part in parts if isinstance(part, KeepsAccount)), None)
