"""Questions that come while others are being answered go together into the next pass: nobody waits for company."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from recdistill.serving.work import Work

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Waiting(Generic[Question, Answer]):
    question: Question
    answer: asyncio.Future[Answer]


class Passes(Generic[Question, Answer]):
    """A queue before something that answers many questions at once. While that is idle, one goes through alone."""

    def __init__(
        self,
        work: Work,
        answers: Callable[[Sequence[Question]], Sequence[Answer | Exception]],
        most: int,
        size: Callable[[Question], int],
        alike: Callable[[Question, Question], bool] = lambda one, other: True,
    ) -> None:
        """`answers` gives each question of a pass an answer, or an error of its own; what it raises is everybody's.

        Args:
            work: where it runs.
            answers: see above.
            most: sizes that go together at most; a single question may be larger.
            size: of a question.
            alike: whether a question may go with another that came before.
        """
        self._work, self._answers = work, answers
        self._most, self._size, self._alike = most, size, alike
        self._queue, self._busy = deque[_Waiting[Question, Answer]](), False

    async def ask(self, question: Question) -> Answer:
        """The answer to a question; the deadline of one is nothing to the others.

        Raises:
            ProblemError: 503, too many are under way.
            Exception: what the question came to.
        """
        with self._work.admitted():
            answer = asyncio.get_running_loop().create_future()
            self._queue.append(_Waiting(question, answer))
            if not self._busy:
                self._begin()
            return await answer

    def _begin(self) -> None:
        """Start a pass over those who wait, if anybody does."""
        batch = self._next()
        self._busy = bool(batch)
        if batch:
            questions = [one.question for one in batch]
            self._work.begin(lambda: self._answers(questions)).add_done_callback(
                lambda passed: self._end(batch, passed)
            )

    def _next(self) -> list[_Waiting[Question, Answer]]:
        """Who goes together: those alike, in the order in which they came, without those who gave up."""
        batch, size = list[_Waiting[Question, Answer]](), 0
        while self._queue:
            first = self._queue[0]
            if first.answer.done():
                self._queue.popleft()
                continue
            size += self._size(first.question)
            if batch and (size > self._most or not self._alike(batch[0].question, first.question)):
                break
            batch.append(self._queue.popleft())
        return batch

    def _end(
        self,
        batch: list[_Waiting[Question, Answer]],
        passed: asyncio.Future[Sequence[Answer | Exception]],
    ) -> None:
        # Whoever waits hears of it, even where the pass itself failed.
        failed = RuntimeError("stopped") if passed.cancelled() else passed.exception()
        answers = [failed] * len(batch) if failed else passed.result()
        for one, answer in zip(batch, answers, strict=True):
            if one.answer.done():
                continue
            if isinstance(answer, BaseException):
                one.answer.set_exception(answer)
            else:
                one.answer.set_result(answer)
        self._begin()
