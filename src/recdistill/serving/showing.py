"""Operations for people who look: finding items, histories to begin with, and what a teacher said of them."""

from __future__ import annotations

from collections.abc import Sequence

from recdistill.serving.answering import Student
from recdistill.serving.messages import RecommendRequest
from recdistill.serving.operations import Call, Operation
from recdistill.serving.problems import problem
from recdistill.serving.shelf import Shelf
from recdistill.serving.showing_messages import (
    Chosen,
    Example,
    Examples,
    Found,
    Named,
    SearchRequest,
    TeacherList,
)
from recdistill.serving.teacher import Listed, StoredTeacher
from recdistill.serving.work import Work


class Showing:
    """What the playground asks beside recommendations. Without a teacher there are no examples."""

    def __init__(self, shelf: Shelf, work: Work, teacher: StoredTeacher | None) -> None:
        self._shelf, self._work, self._teacher = shelf, work, teacher

    async def search(self, call: Call) -> Found:
        """Items by words of their titles."""
        request: SearchRequest = call.body
        student = self._shelf.student
        found = await self._work.run(
            lambda: student.own.search.find(request.text, request.k, student.catalogue)
        )
        return Found([_named(student, item) for item in found])

    async def examples(self, call: Call) -> Examples:
        """Histories to begin with."""
        teacher, student = self._teacher, self._shelf.student
        if teacher is None:
            return Examples([])
        histories = await self._work.run(lambda: teacher.examples)
        known = [student.catalogue.known(history) for history in histories]
        return Examples(
            [Example([_named(student, item) for item in history]) for history in known],
            teacher.name,
        )

    async def teacher(self, call: Call) -> TeacherList:
        """The teacher's list about a history."""
        request: RecommendRequest = call.body
        teacher, student = self._teacher, self._shelf.student
        if teacher is None or request.history is None:
            raise problem("invalid", "It takes a history.", field="$.history")
        return await self._work.run(lambda: _list_of(teacher, student, request))

    def operations(self) -> list[Operation]:
        """The part of the table that these are."""
        jedi = Named("181", "Return of the Jedi (1983)")
        table = [
            Operation(
                method="POST",
                path="/v1/items/search",
                access="recommend",
                summary="Items by words of their titles.",
                handler=self.search,
                takes=SearchRequest,
                gives=Found,
                asked=SearchRequest("jedi return"),
                said=Found([jedi]),
            ),
            Operation(
                method="GET",
                path="/v1/examples",
                access="recommend",
                summary="Histories to begin with, about which the teacher was asked.",
                handler=self.examples,
                gives=Examples,
                said=Examples([Example([jedi])], "sasrec"),
            ),
        ]
        if self._teacher is None:
            return table
        asked = Operation(
            method="POST",
            path="/v1/teacher",
            access="recommend",
            summary="What the teacher said about a history while the student was being made.",
            handler=self.teacher,
            takes=RecommendRequest,
            gives=TeacherList,
            asked=RecommendRequest(history=["181"], k=1),
            said=TeacherList([Chosen("172", 0.08, "The Empire Strikes Back (1980)")], True),
            problems=("unknown-item",),
        )
        return [*table, asked]


def _list_of(teacher: StoredTeacher, student: Student, request: RecommendRequest) -> TeacherList:
    """The teacher's list, within what the request allows the student too."""
    said = teacher.said(request.history or ())
    listed: Sequence[Listed] = said or ()
    places = {one.item: student.catalogue.place(one.item) for one in listed}
    may = student.givable(request, [place for place in places.values() if place is not None])
    given = [one for one in listed if places[one.item] in may][: request.k]
    dense = [student.catalogue.known([one.item])[0] for one in given]
    words = student.own.said(student.catalogue.known(request.history or ()), dense)
    return TeacherList(
        [
            Chosen(one.item, one.probability, student.catalogue.title(item), text)
            for one, item, text in zip(given, dense, words, strict=True)
        ],
        said is not None,
    )


def _named(student: Student, item: int) -> Named:
    return Named(student.catalogue.raw(item), student.catalogue.title(item))
