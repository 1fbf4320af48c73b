"""What came of asking: how many answers there were, and of what sort."""

from __future__ import annotations

from collections import Counter
from typing import Any

from recdistill.asking import Answer
from recdistill.teachers.listwise.reading import Reply
from recdistill.teachers.listwise.verdict import Verdict

_SORTS = {
    "refused": "refused",
    "failed": "not given (an error of the endpoint)",
    "unasked": "not asked for (over budget)",
    "unreadable": "without any order in it",
}


class Tally:
    """Counts answers and what they said of each other."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._agreements: list[float] = []
        self._biases: list[float] = []

    def note(self, answer: Answer | None, reply: Reply | None) -> None:
        """One question, its answer, and what was understood of it."""
        self._counts["questions"] += 1
        if reply is None:
            self._counts[_sort(answer)] += 1

    def judged(self, verdict: Verdict) -> None:
        """What became of one history."""
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
        lost = [
            f"{self._counts[sort]} {words}" for sort, words in _SORTS.items() if self._counts[sort]
        ]
        told = f"Of {asked:,} answers of the chat model {', '.join(lost) or 'all could be used'}."
        facts = self.facts
        if "agreement" in facts:
            told += f" Answers to two orders of the same candidates agreed to {facts['agreement']:.2f} (1: entirely, 0:"
            told += f" not at all); what was shown first was preferred by {facts['position_bias']:+.2f}."
        return told


def _sort(answer: Answer | None) -> str:
    if answer is None:
        return "unasked"
    if answer.refusal is not None:
        return "refused"
    return "failed" if answer.text is None else "unreadable"
