"""Contexts about which a teacher said why it recommends what it does, drawn by lot; nobody is asked for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Int64

from recdistill.data.cases import Cases
from recdistill.data.dataset import Dataset
from recdistill.data.reasons import Reasons
from recdistill.data.sequences import Sequences
from recdistill.evaluation.examples import Titles
from recdistill.evaluation.report.story import Explained
from recdistill.models.ranking import top_k
from recdistill.models.recommender import Recommender
from recdistill.teachers.reasons import giving, reasons, remembering
from recdistill.teachers.sparing import spared

LISTED = 5
"""Items of a list that are looked at: as many as the page shows."""
_AT_ONCE = 256


def explained(
    teacher: Recommender,
    student: Recommender,
    dataset: Dataset,
    sources: Iterable[Cases],
    filter_seen: bool,
    count: int = 4,
    seed: int = 0,
) -> tuple[Explained, ...]:
    """Contexts of `count` users at most, where the teacher said why of one of the best items on its list.

    Args:
        teacher: whose reasons; what it did not say before it does not say here.
        student: whose list stands beside its.
        dataset: gives the titles.
        sources: cases whose histories are looked through, in this order.
        filter_seen: whether lists leave out what a history holds.
        count: how many are wanted.
        seed: of the lot.
    """
    found, users = list[Explained](), set[int]()
    for cases in sources if giving(teacher) else ():
        show = _Shown(spared(teacher, cases.histories), student, dataset, filter_seen)
        for rows in _lots(len(cases), seed):
            for user, one in zip(
                cases.users[rows], show.all(cases.histories.take(rows)), strict=True
            ):
                if one and user not in users and len(found) < count:
                    users.add(user)
                    found.append(one)
            if len(found) == count:
                return tuple(found)
    return tuple(found)


def _lots(count: int, seed: int) -> Iterator[Int64[np.ndarray, " some"]]:
    """All rows, some at a time, in an order drawn by lot."""
    order = np.random.default_rng([seed, 2]).permutation(count)
    for start in range(0, count, _AT_ONCE):
        yield order[start : start + _AT_ONCE]


class _Shown:
    """Two models, and how what they say of histories is shown."""

    def __init__(
        self, teacher: Recommender, student: Recommender, dataset: Dataset, filter_seen: bool
    ) -> None:
        self._asked, self._teacher, self._student = teacher, remembering(teacher), student
        self._titles, self._item_keys = Titles(dataset), dataset.item_keys
        self._filter_seen = filter_seen

    def all(self, histories: Sequences) -> list[Explained | None]:
        """Each history with both lists and the reasons; `None` where there are none."""
        told = reasons(self._asked, histories)
        found: list[Explained | None] = [None] * len(histories)
        rows = np.flatnonzero(told.known(histories, self._item_keys))
        for row, one in zip(rows, self._some(histories.take(rows), told), strict=True):
            found[row] = one
        return found

    def _some(self, histories: Sequences, told: Reasons) -> Iterator[Explained | None]:
        lists, students = (
            self._lists(model, histories) for model in (self._teacher, self._student)
        )
        for row, (own, other) in enumerate(zip(lists, students, strict=True)):
            texts = told.said(histories, [row] * len(own), own.tolist(), self._item_keys)
            pairs = zip(self._titles(own), texts, strict=True)
            why = tuple((title, text) for title, text in pairs if text)
            history = self._titles(histories[row])
            yield Explained(history, self._titles(own), self._titles(other), why) if why else None

    def _lists(self, model: Recommender, histories: Sequences) -> list[np.ndarray]:
        if not len(histories):
            return []
        seen = histories if self._filter_seen else None
        _, items = top_k(model, histories, LISTED, seen=seen)
        return [row[row >= 0].astype(np.int32) for row in items.cpu().numpy()]
