"""Questions that an endpoint did not answer for a reason that may pass: never taken for what a teacher says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from recdistill.asking import Answer, EndpointConfig
from recdistill.errors import EndpointError


class UnansweredError(EndpointError):
    """Some questions have no answer yet; all others are answered and kept, so that starting again asks these only."""

    def __init__(self, who: str, questions: int, why: str) -> None:
        counted = "question has" if questions == 1 else "questions have"
        super().__init__(
            f"{questions:,} {counted} no answer yet from {who}; the last: {why}.",
            "All other answers are kept: start again, and only these are asked. If they never will be answered, "
            "`endpoint.unanswered` says which share of questions may stay so.",
        )
        self.who, self.questions, self.why = who, questions, why

    @classmethod
    def together(cls, errors: Sequence[UnansweredError]) -> Self:
        """One that tells of all questions; at least one error."""
        last = errors[-1]
        return cls(last.who, sum(error.questions for error in errors), last.why)


@dataclass
class Unanswered:
    """Counts the answers of one asking.

    Attributes:
        endpoint: who was asked.
        asked: questions so far.
        open: of them, those that will be asked again: neither answered, nor beyond a budget.
        why: what was wrong at last.
    """

    endpoint: EndpointConfig
    asked: int = 0
    open: int = 0
    why: str = ""

    def note(self, answers: Sequence[Answer | None]) -> None:
        """Some more answers; none where a budget did not allow the question."""
        self.asked += len(answers)
        for answer in answers:
            if answer is not None and not answer.lasting:
                self.open, self.why = self.open + 1, str(answer.error)

    def check(self) -> None:
        """Refuse to go on with what has passing holes.

        Raises:
            UnansweredError: more questions are open than the endpoint's settings allow.
        """
        if self.open > self.endpoint.unanswered * self.asked:
            raise UnansweredError(self.endpoint.title, self.open, self.why)
