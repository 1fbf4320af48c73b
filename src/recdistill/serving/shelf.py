"""The student that answers now, and how another takes its place while requests keep coming."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from recdistill.bundle.places import Place
from recdistill.bundle.signing import Trusted
from recdistill.errors import BundleError, DataError, RecDistillError
from recdistill.serving.answering import Student, open_student
from recdistill.serving.messages import RecommendRequest
from recdistill.serving.pointer import Pointer
from recdistill.serving.rules import Rules
from recdistill.serving.stock.contract import Entry

_AT_ONCE = 8


class Shelf:
    """Holds a student. Whoever answers takes it once and keeps it to the end, so that no answer mixes two."""

    def __init__(self, student: Student) -> None:
        self.student = student
        self._changing = threading.Lock()

    def put(self, student: Student) -> None:
        """From now on this one is taken, with the rules and items of the one before. That goes when its last answer
        is given.

        Raises:
            ConfigError: a rule is about what the catalogue does not tell.
            BundleError: texts of items cannot be read.
        """
        with self._changing:
            self.student = student.dressed(self.student.rules, self.student.stock)

    def rule(self, rules: Rules) -> None:
        """From now on requests may name these rules.

        Raises:
            ConfigError: a rule is about what the catalogue does not tell.
        """
        with self._changing:
            self.student = self.student.dressed(rules, self.student.stock)

    def stock(self, entries: Sequence[Entry]) -> None:
        """From now on this is what was said of items since the bundle was made.

        Raises:
            BundleError: texts of items cannot be read.
        """
        with self._changing:
            self.student = self.student.dressed(self.student.rules, entries)


def warmed(
    path: Path,
    place: Place | None = None,
    replayed: Sequence[RecommendRequest] = (),
    trusted: Trusted | None = None,
) -> Student:
    """A bundle that has proven itself: every byte checked, and asked as it will be; the first client waits for nothing.

    `replayed` are requests as they came before, or none.

    Raises:
        BundleError: it is damaged, signed by nobody who is trusted, or gives what is no number.
    """
    student = open_student(path, place, trusted)
    some = student.bundle.vocabulary.ids.head(50).to_list()
    requests = [RecommendRequest(history=some[:length], k=20) for length in (0, 1, 7, 50)]
    _require_numbers(student, requests)
    for first in range(0, len(replayed), _AT_ONCE):
        together = replayed[first : first + _AT_ONCE]
        try:
            _require_numbers(student, together)
        except DataError:  # a candidate of one is gone from the catalogue
            continue
    return student


def _require_numbers(student: Student, requests: Sequence[RecommendRequest]) -> None:
    for told in student.recommend(requests):
        if not all(math.isfinite(one.score) for one in told.items):
            raise BundleError(
                f"{student.path} gives scores that are no numbers.", "Export it again."
            )


class Audience(Protocol):
    """Who hears of changes."""

    def promoted(self, student: Student) -> None:
        """Another student answers."""
        ...

    def refused(self, error: RecDistillError) -> None:
        """What the pointer leads to cannot be used; the student before goes on."""
        ...


class Keeper:
    """Looks at a pointer, in a thread of its own, and puts on the shelf what it leads to.

    A bundle that cannot be used is told of and passed over: the one before goes on, until the pointer changes again.
    """

    def __init__(
        self,
        shelf: Shelf,
        pointer: Pointer,
        audience: Audience,
        every: float = 0.5,
        opens: Callable[[Path], Student] = warmed,
    ) -> None:
        """`every`: seconds between looks; `opens` gives the student of a bundle that is fit to answer."""
        self._shelf, self._pointer, self._audience = shelf, pointer, audience
        self._opens, self._every, self._stopped, self._stamp = (
            opens,
            every,
            threading.Event(),
            pointer.stamp(),
        )
        self._thread = threading.Thread(target=self._watch, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what is being opened is opened first."""
        self._stopped.set()
        self._thread.join()

    def look(self) -> None:
        """Follow the pointer, if it was changed."""
        stamp = self._pointer.stamp()
        if stamp is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            student = self._opens(self._pointer.bundle)
            self._shelf.put(student)
        except RecDistillError as error:
            self._audience.refused(error)
            return
        self._audience.promoted(student)

    def _watch(self) -> None:
        while not self._stopped.wait(self._every):
            self.look()
