"""Operations that ask the student."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol, TypeVar

from msgspec.structs import replace

from recdistill.errors import DataError, RecDistillError, nearest
from recdistill.serving.answering import Student, UnknownItemError
from recdistill.serving.gathering import Gathering
from recdistill.serving.keeping import Keeping
from recdistill.serving.messages import (
    LARGEST_EXPLAINED_K,
    LONGEST_HISTORY,
    BatchRecommendations,
    BatchRequest,
    Cause,
    Recommendations,
    Recommended,
    RecommendRequest,
    SimilarRequest,
)
from recdistill.serving.operations import Call, Operation
from recdistill.serving.problems import ProblemError, from_error, problem
from recdistill.serving.shelf import Shelf
from recdistill.serving.work import Work

Result = TypeVar("Result")
_JEDI = Recommended("181", 9.25, "Return of the Jedi (1983)")
_LIST = Recommendations([_JEDI, Recommended("172", 8.5, "The Empire Strikes Back (1980)")], "3f1c")
_ASKED = RecommendRequest(history=["50", "1"], k=2)


class Watch(Protocol):
    """Who counts lists, and hears why the model gave none."""

    def asked(self, requests: Sequence[RecommendRequest]) -> None:
        """These came, with the histories of their users."""
        ...

    def gave(self, student: Student, lists: list[Recommendations]) -> None:
        """Lists were given."""
        ...

    def failed(self, error: Exception) -> None:
        """The model raised something; what is popular was given instead."""
        ...


class Recommending:
    """Lists for histories, and neighbours of items."""

    def __init__(
        self,
        shelf: Shelf,
        work: Work,
        keeping: Keeping | None,
        watch: Watch,
        deadline: float,
    ) -> None:
        """`deadline`: seconds that the model is given; after that the list is what is popular."""
        self._shelf, self._work, self._keeping = shelf, work, keeping
        self._watch, self._deadline = watch, deadline
        self._gathering = Gathering(work)

    async def recommend(self, call: Call) -> Recommendations:
        """A list for one history."""
        if call.body.explain and call.body.k > LARGEST_EXPLAINED_K:
            most = f"At most {LARGEST_EXPLAINED_K} items are explained."
            raise problem("invalid", most, field="$.k")
        return (await self._lists([call.body], ["$"]))[0]

    async def recommend_many(self, call: Call) -> BatchRecommendations:
        """A list for each of several histories."""
        requests: list[RecommendRequest] = call.body.requests
        for place, request in enumerate(requests):
            if request.explain:
                alone = "Explanations are given one request at a time."
                raise problem("invalid", alone, field=f"$.requests[{place}].explain")
        places = [f"$.requests[{place}]" for place in range(len(requests))]
        return BatchRecommendations(await self._lists(requests, places))

    async def similar(self, call: Call) -> Recommendations:
        """The neighbours of an item."""
        student, request = self._shelf.student, call.body
        return await _told(self._work.run(lambda: student.similar(request)))

    async def _lists(
        self, requests: Sequence[RecommendRequest], places: Sequence[str]
    ) -> list[Recommendations]:
        until = asyncio.get_running_loop().time() + self._deadline
        for request, place in zip(requests, places, strict=True):
            self._require_somebody(request, place)
        asked, known = await self._with_histories(requests)
        student = self._shelf.student  # one for the whole answer, whatever is promoted meanwhile
        for request, place in zip(requests, places, strict=True):
            _require_known(student, request, place)
        found = await _told(self._found(student, asked, until))
        lists = [
            told
            if known or told.cause or request.user is None
            else replace(told, degraded=True, cause="history")
            for told, request in zip(found, requests, strict=True)
        ]
        self._watch.asked(asked)
        self._watch.gave(student, lists)
        return lists

    async def _found(
        self, student: Student, requests: list[RecommendRequest], until: float
    ) -> list[Recommendations]:
        """What the model says; where it says nothing, what is popular."""
        cause: Cause = "deadline"
        try:
            async with asyncio.timeout_at(until):
                return await self._gathering.recommend(student, requests)
        except TimeoutError:
            if not student.popular:
                raise
        except (ProblemError, DataError):
            raise
        except Exception as error:  # whatever it is, who asked for a list gets one
            if not student.popular:
                raise
            self._watch.failed(error)
            cause = "model"
        return [student.fallback(request, cause) for request in requests]

    def _require_somebody(self, request: RecommendRequest, where: str) -> None:
        if (request.history is None) == (request.user is None):
            raise problem("invalid", "Either history or user.", "[] is somebody new.", where)
        if request.user is not None and self._keeping is None:
            raise problem("invalid", "This server keeps no histories.", field=f"{where}.user")

    async def _with_histories(
        self, requests: Sequence[RecommendRequest]
    ) -> tuple[list[RecommendRequest], bool]:
        """The requests with the histories of their users, and whether these could be had."""
        users = [request.user for request in requests if request.user is not None]
        if not users or self._keeping is None:
            return list(requests), True
        found = await self._keeping.latest(users, LONGEST_HISTORY)
        histories = iter(found if found is not None else [list[str]()] * len(users))
        whole = [
            request if request.user is None else replace(request, history=list(next(histories)))
            for request in requests
        ]
        return whole, found is not None

    def operations(self) -> list[Operation]:
        """The part of the table that these are."""
        return [
            Operation(
                method="POST",
                path="/v1/recommend",
                access="recommend",
                summary="The best items for a history.",
                handler=self.recommend,
                takes=RecommendRequest,
                gives=Recommendations,
                asked=_ASKED,
                said=_LIST,
                problems=("unknown-item", "unknown-rule"),
            ),
            Operation(
                method="POST",
                path="/v1/recommend/batch",
                access="recommend",
                summary="The best items for each of several histories.",
                handler=self.recommend_many,
                takes=BatchRequest,
                gives=BatchRecommendations,
                asked=BatchRequest([_ASKED]),
                said=BatchRecommendations([_LIST]),
                problems=("unknown-item", "unknown-rule"),
            ),
            Operation(
                method="POST",
                path="/v1/similar",
                access="recommend",
                summary="The items that are most like one.",
                handler=self.similar,
                takes=SimilarRequest,
                gives=Recommendations,
                asked=SimilarRequest("172", 1),
                said=Recommendations([_JEDI], "3f1c"),
                problems=("unknown-item",),
            ),
        ]


def _require_known(student: Student, request: RecommendRequest, where: str) -> None:
    """Refuse candidates, rules and keys of a context that are not there, naming the nearest."""
    try:
        student.require(request.candidates or (), "candidate item")
    except UnknownItemError as error:
        field = f"{where}.candidates[{error.place}]"
        raise problem("unknown-item", error.message, error.hint, field) from None
    for name, given, there in (
        ("rules", request.rules, student.rules.names),
        ("context", request.context, student.rules.context),
    ):
        for one in given:
            if one not in there:
                detail = f"There is no '{one}' in the {name} of this server."
                raise problem("unknown-rule", detail, nearest(one, there), f"{where}.{name}")


async def _told(answer: Awaitable[Result]) -> Result:
    try:
        return await answer
    except RecDistillError as error:
        raise from_error(error) from error
