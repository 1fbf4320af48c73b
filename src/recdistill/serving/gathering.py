"""Requests that come while others are being computed share the next pass of the model: nobody waits for company."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from recdistill.errors import RecDistillError
from recdistill.serving.answering import Student
from recdistill.serving.messages import Recommendations, RecommendRequest
from recdistill.serving.work import Work

MOST = 32
"""Requests of one pass: more would keep the first waiting for what little is saved on the last."""


@dataclass(frozen=True)
class _Waiting:
    student: Student
    requests: list[RecommendRequest]
    answer: asyncio.Future[list[Recommendations]]


class Gathering:
    """A queue before the student. While it is idle a request goes through at once, alone."""

    def __init__(self, work: Work) -> None:
        self._work, self._queue, self._busy = work, deque[_Waiting](), False

    async def recommend(
        self, student: Student, requests: list[RecommendRequest]
    ) -> list[Recommendations]:
        """What `student.recommend` says to `requests`; the deadline of one is nothing to the others.

        Raises:
            DataError: a candidate is unknown.
            ProblemError: 503, too many are under way.
        """
        with self._work.admitted():
            answer = asyncio.get_running_loop().create_future()
            self._queue.append(_Waiting(student, requests, answer))
            if not self._busy:
                self._begin()
            return await answer

    def _begin(self) -> None:
        """Start a pass over those who wait, if anybody does."""
        batch = self._next()
        self._busy = bool(batch)
        if batch:
            self._work.begin(lambda: _answers(batch)).add_done_callback(
                lambda passed: self._end(batch, passed)
            )

    def _next(self) -> list[_Waiting]:
        """Who goes together: those of one student, in the order in which they came, without those who gave up."""
        batch, size = list[_Waiting](), 0
        while self._queue:
            first = self._queue[0]
            if first.answer.done():
                self._queue.popleft()
                continue
            size += len(first.requests)
            if batch and (size > MOST or first.student is not batch[0].student):
                break
            batch.append(self._queue.popleft())
        return batch

    def _end(
        self,
        batch: list[_Waiting],
        passed: asyncio.Future[list[list[Recommendations] | Exception]],
    ) -> None:
        # Whoever waits hears of it, even where the pass itself failed.
        failed = RuntimeError("stopped") if passed.cancelled() else passed.exception()
        answers = [failed] * len(batch) if failed else passed.result()
        for one, answer in zip(batch, answers, strict=True):
            if one.answer.done():
                continue
            if isinstance(answer, list):
                one.answer.set_result(answer)
            else:
                one.answer.set_exception(answer)
        self._begin()


def _answers(batch: list[_Waiting]) -> list[list[Recommendations] | Exception]:
    """An answer or an error for each of a batch."""
    student, together = batch[0].student, [each for one in batch for each in one.requests]
    try:
        told = iter(student.recommend(together))
    except RecDistillError as error:
        # Somebody's request cannot be answered: the others must not suffer from it.
        return [error] if len(batch) == 1 else [_answers([one])[0] for one in batch]
    return [[next(told) for _ in one.requests] for one in batch]
