"""The table of the leaderboard, the same in HTML and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import metric_meaning, metric_title
from recdistill.evaluation.report.leaderboard.standing import Standing, references, techniques
from recdistill.evaluation.report.reading import confidence


@dataclass(frozen=True)
class Cell:
    """A value, what stands small beside it, and the tone that colours it."""

    value: str
    detail: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Column:
    """A quantity: its name, its meaning, and how it is read off a standing."""

    title: str
    meaning: str
    cell: Callable[[Standing], Cell]


@dataclass(frozen=True)
class Line:
    """A row: its place, its name, its cells."""

    rank: str
    label: str
    style: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Board:
    """Columns, and the rows from best to worst; references stand where their value puts them."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


def board(content: Mapping[str, Any]) -> Board:
    """The table of `leaderboard.json`."""
    columns = tuple(_columns(content))
    return Board(columns, tuple(_line(one, columns) for one in everyone(content)))


def everyone(content: Mapping[str, Any]) -> list[Standing]:
    """Techniques and references, best first."""
    return sorted((*techniques(content), *references(content)), key=lambda one: -one.value)


def _line(one: Standing, columns: tuple[Column, ...]) -> Line:
    rank = "" if one.rank is None else str(one.rank)
    return Line(rank, one.name, one.style, tuple(column.cell(one) for column in columns))


def _columns(content: Mapping[str, Any]) -> list[Column]:
    metric, sure = str(content["metric"]), confidence(content)
    return [
        Column(metric_title(metric), metric_meaning(metric),
               lambda one: Cell(wording.significant(one.value))),
        Column("Against the twin", "The difference from the undistilled student, as a share of it, "
               f"with its {sure} interval.", _gain),
        Column("Corrected p", "How often chance alone would do as much, corrected for how many "
               "techniques were tried (Holm).", _p),
        Column("Gap closed", "How far the technique went from the undistilled student (0 %) to the "
               "teacher (100 %).", _gap),
        Column("Tail", f"The difference in {metric_title(metric)} where rarely taken items were to "
               "be found, with its interval.", _tail),
        Column("Training", "The time of one training, as a multiple of the undistilled student’s.",
               _cost),
        *_tuning(content),
        Column("Verdict", "Whether the corrected p-value leaves room for chance.", _verdict),
    ]  # fmt: skip


def _tuning(content: Mapping[str, Any]) -> list[Column]:
    """What everybody was tuned to, if anybody was."""
    if not content.get("budget"):
        return []
    meaning = "What validation chose, as factors on the recipe as written, and how many trials it chose among."
    return [Column("Tuned", meaning, _tuned)]


def _gain(one: Standing) -> Cell:
    if one.gain is None or one.gain.bounds is None:
        return Cell(wording.NONE)
    return Cell(one.moved, one.bounds, "" if one.rank is None else one.tone)


def _p(one: Standing) -> Cell:
    return Cell(wording.NONE if one.p is None else wording.significant(one.p, 2))


def _gap(one: Standing) -> Cell:
    return Cell(wording.NONE if one.gap is None else wording.percent(one.gap))


def _tail(one: Standing) -> Cell:
    if one.tail is None or one.tail.bounds is None:
        return Cell(wording.NONE)
    bounds = " to ".join(map(wording.signed, one.tail.bounds))
    return Cell(wording.signed(one.tail.mean), bounds, one.tail.tone)


def _cost(one: Standing) -> Cell:
    if one.cost is None or one.seconds is None:
        return Cell(wording.NONE)
    return Cell(times(one.cost), wording.duration(one.seconds))


def _tuned(one: Standing) -> Cell:
    if not one.tuned:
        return Cell(wording.NONE)
    return Cell(one.tuned, wording.plural(one.trials, "trial"))


def _verdict(one: Standing) -> Cell:
    return Cell(one.result or "reference", tone=one.tone if one.result else "")


def times(factor: float) -> str:
    """A multiple: `1.4×`."""
    return f"{wording.significant(factor, 2)}×"
