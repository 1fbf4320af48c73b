"""Ranked lists of a file, joined to users or histories and to items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float32, Int32, Int64

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.finding import Finder
from recdistill.data.hearsay.records import read_records, require_field
from recdistill.data.hearsay.report import JoinReport
from recdistill.data.hearsay.settings import ListsFile
from recdistill.data.hearsay.statements import Statement, statements_of
from recdistill.data.hearsay.whose import of_everybody, of_histories, of_users
from recdistill.data.sequences import Sequences
from recdistill.errors import DataError

_FITTING = 0.5
"""The least share of what lists were made from that must be in the history of the user they are joined to."""


@dataclass(frozen=True)
class Lists:
    """What was said, in the dataset's terms.

    Attributes:
        users: whom a list is about, dense; -1 where it is about a history or about everybody.
        histories: the contexts the lists are about; empty where they are about everybody.
        items: the lists, best first, without what could not be found.
        scores: of the items, aligned with `items.values`; `None` where ranks are all there is.
        confidence: of each list.
        shown: what the lists were chosen from; `None` where nobody says.
        everybody: whether they are about everybody.
        report: what joining found.
        why: of each list, why each of its items is there, in words; empty where nobody says.
    """

    users: Int32[np.ndarray, " lists"]
    histories: Sequences
    items: Sequences
    scores: Float32[np.ndarray, " values"] | None
    confidence: Float32[np.ndarray, " lists"] | None
    shown: Sequences | None
    everybody: bool
    report: JoinReport
    why: Sequence[Sequence[str]] = ()

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: Int64[np.ndarray, " chosen"]) -> Lists:
        """The chosen lists."""
        return replace(
            self,
            users=self.users[rows],
            histories=self.histories.take(rows),
            items=self.items.take(rows),
            confidence=None if self.confidence is None else self.confidence[rows],
            shown=None if self.shown is None else self.shown.take(rows),
            why=[self.why[row] for row in rows] if self.why else (),
        )


class About(NamedTuple):
    """Attributes:
    users: dense; -1 where a statement is about no single user.
    histories: the contexts.
    rows: the statements about them.
    """

    users: Int32[np.ndarray, " kept"]
    histories: Sequences
    rows: Int64[np.ndarray, " kept"]


def join_lists(file: ListsFile, dataset: Dataset) -> Lists:
    """The lists of a file, each joined by its key.

    Raises:
        DataError: the file cannot be read, has no such fields, or nothing in it could be joined.
    """
    report = JoinReport(file.path.name, file.about)
    records = read_records(file.file)
    require_field(records, file.items.field, file.path)
    finder = Finder(dataset, file.matching)
    statements = statements_of(file, records, report)
    about = _about(file, statements, finder, report)
    joined = _joined(file, [statements[row] for row in about.rows], about, finder, report)
    if not len(joined):
        found = "\n".join(report.lines())
        raise DataError(
            f"Nothing in {file.path} could be joined to '{dataset.name}':\n{found}",
            f"Users are called {_few(dataset.users.ids)}, items {_few(dataset.vocabulary.ids)}; see `user_id`, `shift`"
            " and `matching`.",
        )
    return joined


def _few(ids: pl.Series) -> str:
    return ", ".join(map(str, ids.head(3))) + "…"


def _about(
    file: ListsFile, statements: list[Statement], finder: Finder, report: JoinReport
) -> About:
    dataset = finder.dataset
    if file.about == "everybody":
        return About(*of_everybody(len(statements)))
    if file.about == "users":
        users, rows = of_users(file, [one.key for one in statements], dataset, report)
        histories = dataset.train.histories.take(users.astype(np.int64))
        return About(users, histories, rows)
    return About(*of_histories(file, [one.stated for one in statements], finder, report))


def _joined(
    file: ListsFile,
    statements: list[Statement],
    about: About,
    finder: Finder,
    report: JoinReport,
) -> Lists:
    """The lists of which something was found."""
    report.count("empty_lists", sum(not one.names for one in statements))
    report.count("over_long_lists", sum(len(one.names) > file.longest for one in statements))
    cut = [one.names[: file.longest] for one in statements]
    found, report.names = finder.find(cut)
    shown = None
    if file.candidates:
        shown, report.candidates = finder.find([one.shown for one in statements])
    if file.history and file.about == "users":
        _check_keys(statements, about.histories, finder, report)
    lists, places = _distinct(found, report)
    _count_strange(lists, about.histories, shown, report)
    scores = [
        [] if one.scores is None else [one.scores[place] for place in kept]
        for one, kept in zip(statements, places, strict=True)
    ]
    rows = np.flatnonzero([bool(one) for one in lists])
    report.count("lists_without_any_item_found", sum(map(bool, cut)) - len(rows))
    report.count("joined", len(rows))
    return Lists(
        users=about.users,
        histories=about.histories,
        items=Sequences.from_lists(lists),
        scores=np.array([one for of in scores for one in of], np.float32) if file.scores else None,
        confidence=_confidence(file, statements),
        shown=None if shown is None else Sequences.from_lists(_distinct(shown)[0]),
        everybody=file.about == "everybody",
        report=report,
        why=[
            [one.why[place] for place in kept] for one, kept in zip(statements, places, strict=True)
        ],
    ).take(rows)


def _confidence(
    file: ListsFile, statements: list[Statement]
) -> Float32[np.ndarray, " lists"] | None:
    return np.array([one.confidence for one in statements], np.float32) if file.confidence else None


def _distinct(
    found: list[list[int]], report: JoinReport | None = None
) -> tuple[list[list[int]], list[list[int]]]:
    """Each list without what was not found and without repetitions; and where in it each item stood first."""
    places = [
        list({item: at for at, item in reversed([*enumerate(row)]) if item >= 0}.values())
        for row in found
    ]
    places = [sorted(row) for row in places]
    lists = [[row[at] for at in kept] for row, kept in zip(found, places, strict=True)]
    if report:
        named = sum(item >= 0 for row in found for item in row)
        report.count("items_named_twice_in_a_list", named - sum(map(len, lists)))
    return lists, places


def _count_strange(
    lists: list[list[int]], histories: Sequences, shown: list[list[int]] | None, report: JoinReport
) -> None:
    """Items that somebody who knows the user would not recommend, and items that a model was not shown."""
    seen = sum(len({*row} & {*histories[at].tolist()}) for at, row in enumerate(lists))
    report.count("items_of_the_history", seen)
    if shown is not None:
        outside = sum(len({*row} - {*shown[at]}) for at, row in enumerate(lists))
        report.count("items_outside_the_candidates", outside)


def _check_keys(
    statements: list[Statement], histories: Sequences, finder: Finder, report: JoinReport
) -> None:
    """What statements say of the history, against the history of the user they are joined to.

    Raises:
        DataError: most of it is not there.
    """
    stated, names = finder.find([one.stated for one in statements])
    theirs = sum(len({*row} & {*histories[at].tolist()}) for at, row in enumerate(stated))
    report.count("stated_items_found", names.found)
    report.count("stated_items_in_the_history", theirs)
    if theirs < _FITTING * names.found:
        raise DataError(
            f"The users of {report.file} are not those of the log: of {names.found:,} items that its lists were made"
            f" from, only {theirs:,} are in the histories of the users they are joined to.",
            "Its keys count users otherwise (see `shift`), or the file is about another log.",
        )
