"""Lists as a file has them, before anything is joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recdistill.data.hearsay.mentions import ListField
from recdistill.data.hearsay.records import Record, Records, pick, scalars
from recdistill.data.hearsay.report import JoinReport
from recdistill.data.hearsay.settings import ListsFile
from recdistill.errors import DataError

_LEAST = 1e-9
"""A probability of 0 counts as this; its logarithm must be a number."""


@dataclass
class Statement:
    """A list as the file has it.

    Attributes:
        key: whom it is about.
        names: what its items are called, best first.
        scores: of the items.
        confidence: from 0 to 1.
        shown: what the candidates are called.
        stated: what the items of the history are called.
        why: why each item is there, in words; empty where nobody says.
    """

    key: Any
    names: list[str]
    scores: list[float] | None
    confidence: float
    shown: list[str]
    stated: list[str]
    why: list[str]


def statements_of(file: ListsFile, records: Records, report: JoinReport) -> list[Statement]:
    """A list for each record, or, where a record is one item, for each key.

    Raises:
        DataError: scores do not fit their items, or a confidence is no number from 0 to 1.
    """
    report.count("records", len(records))
    report.count("damaged_lines", records.lines_damaged, records.damaged)
    told = [row for row in records.rows if pick(row, file.items.field) is not None]
    report.count("records_without_a_list", len(records) - len(told))
    statements = [_statement(file, row, report) for row in told]
    return _gathered(file, statements) if file.rows == "item" else statements


def _statement(file: ListsFile, row: Record, report: JoinReport) -> Statement:
    names = file.items.of(row) or []
    scores = _scores(file, row, names, report)
    order = [*range(len(names))] if scores is None else _best_first(scores)
    return Statement(
        None if file.user_id is None else pick(row, file.user_id),
        [names[place] for place in order],
        None if scores is None else [scores[place] for place in order],
        _confidence(file, row),
        _listed(file.candidates, row),
        _listed(file.history, row),
        _reasons(file, row, order, len(names), report),
    )


def _listed(field: ListField | None, row: Record) -> list[str]:
    return (field.of(row) or []) if field else []


def _scores(
    file: ListsFile, row: Record, names: list[str], report: JoinReport
) -> list[float] | None:
    if file.scores is None:
        return None
    given = list(scalars(pick(row, file.scores)))
    if len(given) != len(names):
        raise DataError(
            f"{file.path} has a list of {len(names)} items with {len(given)} scores.",
            "Every item needs a score, in the order of the items.",
        )
    numbers = [_number(one) for one in given]
    wrong = [str(one) for one, number in zip(given, numbers, strict=True) if np.isnan(number)]
    if wrong:
        report.count("scores_that_are_no_numbers", len(wrong), wrong)
    return (
        [_logarithm(number, file) for number in numbers] if file.scale == "probability" else numbers
    )


def _logarithm(probability: float, file: ListsFile) -> float:
    if np.isnan(probability):
        return probability
    if not 0 <= probability <= 1:
        raise DataError(
            f"{file.path} has a probability of {probability:g}.",
            "Say `scale: score` if scores are none.",
        )
    return float(np.log(max(probability, _LEAST)))


def _number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return float("nan")
    return found if np.isfinite(found) else float("nan")


def _best_first(scores: list[float]) -> list[int]:
    """The places of the scores, without those that are no numbers."""
    kept = [place for place, score in enumerate(scores) if not np.isnan(score)]
    return sorted(kept, key=lambda place: -scores[place])


def _reasons(
    file: ListsFile, row: Record, order: Sequence[int], count: int, report: JoinReport
) -> list[str]:
    """A reason for each of the `count` items in their new `order`, empty where there is none; a single text is that of
    the best."""
    told = None if file.why is None else pick(row, file.why)
    given = [
        "" if one is None else str(one) for one in (told if isinstance(told, list) else [told])
    ]
    if len(given) == count:
        return [given[place] for place in order]
    if len(given) > 1:
        report.count("lists_with_reasons_that_fit_no_items", 1)
        given = [""]
    return [*given, *[""] * len(order)][: len(order)]


def _confidence(file: ListsFile, row: Record) -> float:
    given = 1.0 if file.confidence is None else _number(pick(row, file.confidence))
    if not 0 <= given <= 1:
        raise DataError(
            f"{file.path} has a list of the confidence {pick(row, str(file.confidence))!r}.",
            "Confidences are numbers from 0 (says nothing) to 1 (as sure as its scores are).",
        )
    return given


def _gathered(file: ListsFile, statements: Sequence[Statement]) -> list[Statement]:
    """One list of the records of each key; by score where there are scores, else in the order of the file."""
    by_key: dict[Any, Statement] = {}
    for one in statements:
        so_far = by_key.setdefault(
            one.key, replace(one, names=[], why=[], scores=None if one.scores is None else [])
        )
        so_far.names += one.names
        so_far.why += one.why
        if so_far.scores is not None and one.scores is not None:
            so_far.scores += one.scores
    for one in by_key.values():
        if one.scores is not None:
            order = _best_first(one.scores)
            one.names, one.why = ([of[place] for place in order] for of in (one.names, one.why))
            one.scores = [one.scores[place] for place in order]
    return list(by_key.values())
