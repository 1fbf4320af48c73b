"""Requests share passes when many come at once, and notice nothing of it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from recdistill.errors import DataError
from recdistill.serving.answering import Student
from recdistill.serving.gathering import MOST, Gathering
from recdistill.serving.messages import RecommendRequest
from recdistill.serving.problems import ProblemError
from recdistill.serving.work import Work

FILMS = [f"i{number:04d}" for number in range(40)]


@pytest.fixture
def work():
    made = Work(waiting=200)
    yield made
    made.close()


@pytest.fixture
def go() -> threading.Event:
    """The first pass waits for it."""
    return threading.Event()


@pytest.fixture
def passes(monkeypatch, go) -> list[int]:
    """How many requests each pass had."""
    seen: list[int] = []
    whole = Student.recommend

    def counted(self, requests):
        seen.append(len(requests))
        go.wait(10)
        return whole(self, requests)

    monkeypatch.setattr(Student, "recommend", counted)
    return seen


def asked(number: int, **more) -> RecommendRequest:
    return RecommendRequest(history=FILMS[number % 7 : number % 11 + 1], k=number % 9 + 1, **more)


def gathered(work: Work, student: Student, requests: list[list[RecommendRequest]], go):
    """The answers to requests that come together while the first is being computed."""

    async def ask():
        gathering = Gathering(work)
        tasks = [asyncio.ensure_future(gathering.recommend(student, each)) for each in requests]
        await asyncio.sleep(0.1)
        go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(ask())


def test_many_at_once_share_passes_and_get_their_own_answers(work, student, passes, go) -> None:
    requests = [[asked(n)] for n in range(50)]
    answers = gathered(work, student, requests, go)
    assert passes == [1, MOST, 17]
    for request, answer in zip(requests, answers, strict=True):
        alone = student.recommend(request)
        assert [one.item for one in answer[0].items] == [one.item for one in alone[0].items]
    assert work.under_way == 0


def test_a_bad_request_is_nothing_to_its_neighbours(work, student, passes, go) -> None:
    requests = [[asked(0)], [asked(1)], [asked(2, candidates=["nothing"])], [asked(3), asked(4)]]
    answers = gathered(work, student, requests, go)
    assert isinstance(answers[2], DataError)
    assert [len(answers[place]) for place in (0, 1, 3)] == [1, 1, 2]


def test_a_failure_nobody_foresaw_reaches_all_who_wait(work, student, monkeypatch, go) -> None:
    def fail(self, requests):
        go.wait(10)
        raise ValueError("broken")

    monkeypatch.setattr(Student, "recommend", fail)
    answers = gathered(work, student, [[asked(n)] for n in range(3)], go)
    assert all(isinstance(answer, ValueError) for answer in answers)


def test_who_gave_up_is_not_computed(work, student, passes, go) -> None:
    async def ask():
        gathering = Gathering(work)
        tasks = [asyncio.ensure_future(gathering.recommend(student, [asked(n)])) for n in range(5)]
        await asyncio.sleep(0.1)
        for task in tasks[1:4]:
            task.cancel()
        await asyncio.sleep(0)
        go.set()
        await tasks[0]
        await tasks[4]

    asyncio.run(ask())
    assert passes == [1, 1]
    assert work.under_way == 0


def test_more_than_fit_are_turned_away_at_once(student, passes, go) -> None:
    small = Work(waiting=3)
    answers = gathered(small, student, [[asked(n)] for n in range(5)], go)
    small.close()
    assert [isinstance(answer, ProblemError) for answer in answers] == [False] * 3 + [True] * 2


def test_students_do_not_share_a_pass(work, student, bundle_folder, passes, go) -> None:
    """While bundles change places, each request is answered by the student that it took."""
    other = Student(student.bundle, bundle_folder)

    async def ask():
        gathering = Gathering(work)
        students = [student, student, student, other, other, student]
        tasks = [
            asyncio.ensure_future(gathering.recommend(who, [asked(n)]))
            for n, who in enumerate(students)
        ]
        await asyncio.sleep(0.1)
        go.set()
        return await asyncio.gather(*tasks)

    assert len(asyncio.run(ask())) == 6
    assert passes == [1, 2, 2, 1]
