"""What asking would cost, said before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass

from recdistill.asking.costs import Cost


@dataclass(frozen=True)
class Plan:
    """What `ask` would do; shown by `--dry-run`."""

    questions: int
    """Different ones."""
    known: int
    """Of them, those whose answers are there and cost nothing."""
    calls: int
    """Requests to send, if none has to be repeated."""
    likely: Cost
    """What they will probably cost."""
    at_most: Cost
    """What they cost if every answer is as long as it may be and every prompt as bad as it can be to tokenize."""
    affordable: int
    """How many of them the budget allows for certain."""
    seconds: float | None
    """How long it will probably take; None where nothing is known of this endpoint's speed."""

    @property
    def tokens(self) -> int:
        """Probably."""
        return self.likely.tokens

    @property
    def money(self) -> float:
        """Probably, in the prices' currency."""
        return self.likely.money

    def __str__(self) -> str:
        """`940 calls (60 of 1,000 known) · about 310,000 tokens · about 0.12 in money, 0.61 at most · about 120 s`."""
        parts = [
            f"{self.calls:,} calls ({self.known:,} of {self.questions:,} known)",
            f"about {self.tokens:,} tokens",
        ]
        if self.at_most.picos:
            parts.append(f"about {self.money:,.4g} in money, {self.at_most.money:,.4g} at most")
        if self.seconds is not None:
            parts.append(f"about {self.seconds:,.0f} s")
        elif self.calls:
            parts.append("time unknown: this model was not timed yet")
        if self.affordable < self.calls:
            parts.append(f"the budget allows {self.affordable:,} for certain")
        return " · ".join(parts)
