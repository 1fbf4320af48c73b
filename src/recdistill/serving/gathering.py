"""Requests that come while others are being computed share the next pass of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from recdistill.errors import RecDistillError
from recdistill.serving.answering import Student
from recdistill.serving.messages import Recommendations, RecommendRequest
from recdistill.serving.passes import Passes
from recdistill.serving.work import Work

MOST: Final = 32
"""Requests of one pass: more would keep the first waiting for what little is saved on the last."""


class _Asked(NamedTuple):
    student: Student
    requests: list[RecommendRequest]


class Gathering:
    """A queue before the student. Requests of one student go together."""

    def __init__(self, work: Work) -> None:
        self._passes = Passes[_Asked, list[Recommendations]](
            work,
            _answers,
            MOST,
            size=lambda asked: len(asked.requests),
            alike=lambda one, other: one.student is other.student,
        )

    async def recommend(
        self, student: Student, requests: list[RecommendRequest]
    ) -> list[Recommendations]:
        """What `student.recommend` says to `requests`.

        Raises:
            DataError: a candidate is unknown.
            ProblemError: 503, too many are under way.
        """
        return await self._passes.ask(_Asked(student, requests))


def _answers(batch: Sequence[_Asked]) -> list[list[Recommendations] | Exception]:
    """An answer or an error for each of a batch."""
    student, together = batch[0].student, [each for one in batch for each in one.requests]
    try:
        told = iter(student.recommend(together))
    except RecDistillError as error:
        # Somebody's request cannot be answered: the others must not suffer from it.
        return [error] if len(batch) == 1 else [_answers([one])[0] for one in batch]
    return [[next(told) for _ in one.requests] for one in batch]
