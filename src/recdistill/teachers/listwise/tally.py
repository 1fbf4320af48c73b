"""What came of asking: how many answers there were, and of what sort."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from recdistill.asking import Answer
from recdistill.teachers.listwise.reading import Understood
from recdistill.teachers.listwise.verdict import Ballot, Verdict

Lost = Literal["failed", "unasked", "refused", "unreadable"]
"""Why an answer is of no use; of several reasons the first is told."""

_WORDS: dict[Lost, str] = {
    "refused": "refused",
    "failed": "not given (an error of the endpoint)",
    "unasked": "not asked for (over budget)",
    "unreadable": "without any order in it",
}
_ORDER: tuple[Lost, ...] = ("failed", "unasked", "refused", "unreadable")


class Heard(NamedTuple):
    """One answer."""

    said: Ballot | Lost
    """What it says of the candidates, or why it is of no use."""
    names: Understood
    """Which items it names."""


def lost(answer: Answer | None) -> Lost:
    """Why nothing could be read in an answer."""
    if answer is None:
        return "unasked"
    if answer.refusal is not None:
        return "refused"
    return "failed" if answer.text is None else "unreadable"


class Tally:
    """Counts answers and what they said of each other.

    Attributes:
        silent: histories about which nothing was said, by reason; `contradictory` where answers were of use and said
            opposite things.
    """

    def __init__(self) -> None:
        self.silent: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self.named, self.shown = 0, 0
        """Items that answers named, and those of them that were among the candidates."""
        self._agreements: list[float] = []
        self._biases: list[float] = []

    def note(self, heard: Sequence[Heard], verdict: Verdict) -> None:
        """The answers about one history, and what became of it."""
        self.named += sum(one.names.named for one in heard)
        self.shown += sum(one.names.shown for one in heard)
        reasons = [one.said for one in heard if not isinstance(one.said, Ballot)]
        self._counts.update(questions=len(heard))
        self._counts.update(reasons)
        if np.isnan(verdict.judgement).all():
            said = len(reasons) < len(heard)
            self.silent["contradictory" if said else min(reasons, key=_ORDER.index)] += 1
        if verdict.agreement is not None:
            self._agreements.append(verdict.agreement)
        if verdict.bias is not None:
            self._biases.append(verdict.bias)

    @property
    def facts(self) -> dict[str, Any]:
        """As plain data: `questions`, how many had no use and why, `agreement` of orders, `position_bias`."""
        facts: dict[str, Any] = dict(sorted(self._counts.items()))
        for name, values in (("agreement", self._agreements), ("position_bias", self._biases)):
            if values:
                facts[name] = round(sum(values) / len(values), 4)
        return facts

    @property
    def sentence(self) -> str:
        """For people; empty where nothing was asked."""
        asked = self._counts["questions"]
        if not asked:
            return ""
        useless = [
            f"{self._counts[sort]} {words}" for sort, words in _WORDS.items() if self._counts[sort]
        ]
        told = (
            f"Of {asked:,} answers of the chat model {', '.join(useless) or 'all could be used'}."
        )
        facts = self.facts
        if "agreement" in facts:
            told += f" Answers to two orders of the same candidates agreed to {facts['agreement']:.2f} (1: entirely, 0:"
            told += f" not at all); what was shown first was preferred by {facts['position_bias']:+.2f}."
        return told
