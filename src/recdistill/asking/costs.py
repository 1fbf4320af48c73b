"""What asking costs: calls, tokens and money, before (at most) and after (exactly).

Money is counted in whole trillionths of the prices' currency ("picos"), so that sums are exact: a price of 0.15
a million tokens is 150,000 picos a token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from recdistill.settings import Settings

PICO = 10**12


@dataclass(frozen=True)
class Usage:
    """The tokens of one answer, as the endpoint counted them."""

    prompt: int
    completion: int


@dataclass(frozen=True)
class Cost:
    """What was, or might be, used up."""

    calls: int = 0
    tokens: int = 0
    picos: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.calls + other.calls, self.tokens + other.tokens, self.picos + other.picos)

    @property
    def money(self) -> float:
        """In the prices' currency."""
        return self.picos / PICO


class Prices(Settings):
    """What a million tokens cost, in any currency; to at most six decimals."""

    input: float = Field(default=0.0, ge=0)
    """Tokens of prompts. What an endpoint takes off for prompts that it remembers is not reckoned with."""
    output: float = Field(default=0.0, ge=0)
    """Tokens of answers, hidden reasoning included."""

    def of(self, usage: Usage) -> Cost:
        """What one call costs that used so many tokens."""
        picos = usage.prompt * _a_token(self.input) + usage.completion * _a_token(self.output)
        return Cost(1, usage.prompt + usage.completion, picos)


class BudgetConfig(Settings):
    """What may be spent; what is not named is not bounded. Checked before a request is sent, against its worst case."""

    money: NonNegativeFloat | None = None
    """In the prices' currency."""
    tokens: NonNegativeInt | None = None
    """Of prompts and answers together."""
    calls: NonNegativeInt | None = None
    """Requests sent, repeated ones included."""

    def allows(self, cost: Cost) -> bool:
        """Whether `cost` in all stays within."""
        return (
            (self.calls is None or cost.calls <= self.calls)
            and (self.tokens is None or cost.tokens <= self.tokens)
            and (self.money is None or cost.picos <= int(Decimal(str(self.money)) * PICO))
        )

    @property
    def needs_worst_case(self) -> bool:
        """Whether a request must say how long its answer may get."""
        return self.money is not None or self.tokens is not None


def _a_token(price: float) -> int:
    """Picos a token at `price` a million; a seventh decimal is rounded up, so that bounds stay bounds."""
    return math.ceil(Decimal(str(price)) * 10**6)
