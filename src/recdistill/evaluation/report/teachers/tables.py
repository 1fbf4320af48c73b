"""The tables of a judgement: beside chance, sureness, agreement, cost, and where each teacher knows more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.costs import MEASURES
from recdistill.evaluation.report.interval import interval
from recdistill.evaluation.report.measures import Line, Measure, Table, table
from recdistill.evaluation.report.reading import (
    model_label,
    model_style,
    number,
    ordered_models,
    part,
)
from recdistill.evaluation.report.slices import group_label
from recdistill.evaluation.report.teachers.calling import called

_SMALL = 0.001
"""Of smaller p-values nothing more is said."""


def _p(value: float) -> str:
    return wording.significant(value, 2) if value >= _SMALL else f"<{_SMALL:g}"


_CHANCE = (
    Measure("called", "Called", "By chance first, then by its judge, then beside popularity.", str),
    Measure("auc", "Right above wrong", "How often a right item stands above another; half is guessing.",
            wording.percent),
    Measure("p", "p", "Of standing as far from chance as it does; corrected for how many teachers were judged.",
            _p),
    Measure("calibration_error", "Calibration error",
            "How far its sureness of its best item lies from how often it is right (ECE, 15 bins).", wording.percent),
    Measure("temperature", "Temperature",
            "At which its probabilities would fit the answers best: above 1 it is too sure.",
            lambda value: wording.significant(value)),
    Measure("grounded", "In the catalogue", "The share of the items that it named which can be recommended; who is "
            "constrained can name no other.", wording.percent),
    Measure("answered", "Answered", "The share of its questions that its judge answered.", wording.percent),
    Measure("weight", "Weight", "In the ensemble.", wording.percent),
)  # fmt: skip
_COSTS = (
    Measure("fit_seconds", "To fit", "Seconds of training.", wording.duration),
    Measure("seconds_per_case", "To ask", "Seconds a question, many at a time.", wording.duration),
    *MEASURES,
    Measure("calls", "Calls", "Requests that were answered.", wording.count),
    Measure("tokens", "Tokens", "Read and written by the teacher.", lambda value: wording.scaled(value)),
    Measure("money", "Money", "In the currency of the endpoint’s prices.", lambda value: wording.significant(value)),
    Measure("seconds", "Waited", "For answers of the endpoint.", wording.duration),
)  # fmt: skip


def beside_chance(content: Mapping[str, Any]) -> Table:
    """What each teacher is called, and why."""
    teachers = part(content, "teachers")
    found = table({role: _standing(one) for role, one in teachers.items()}, _CHANCE[1:])
    ordered = (teachers[role] for role in ordered_models(teachers))
    lines = (
        Line(line.label, line.style, (called(one).word, *_cells(one, line, found.measures)))
        for one, line in zip(ordered, found.lines, strict=True)
    )
    return Table((_CHANCE[0], *found.measures), tuple(lines))


def _cells(teacher: Mapping[str, Any], line: Line, measures: Sequence[Measure]) -> Iterator[str]:
    for value, measure in zip(line.values, measures, strict=True):
        yield grounding(teacher) if measure.key == "grounded" else value


def grounding(teacher: Mapping[str, Any]) -> str:
    """Which share of what a teacher named the catalogue has; who can name nothing else is called so."""
    account = part(teacher, "account")
    if account.get("constrained") is True:
        return "constrained"
    share = number(account, "grounded")
    return wording.NONE if share is None else wording.percent(share)


def _standing(teacher: Mapping[str, Any]) -> dict[str, float | None]:
    return {
        "auc": number(teacher, "chance", "auc", "value"),
        "p": number(teacher, "chance", "p"),
        "calibration_error": number(teacher, "calibration", "calibration_error"),
        "temperature": number(teacher, "calibration", "temperature"),
        "grounded": number(teacher, "account", "grounded"),
        "answered": number(teacher, "candidates", "answered"),
        "weight": number(teacher, "weight"),
    }


def costs(content: Mapping[str, Any]) -> Table:
    """What each teacher costs to keep and to ask."""
    teachers = part(content, "teachers")
    tree = {role: {**part(one, "cost"), **part(one, "account")} for role, one in teachers.items()}
    return table(tree, _COSTS)


def agreement(content: Mapping[str, Any]) -> Table:
    """The share of common items among the ten best of every two."""
    roles = ordered_models(part(content, "models"))
    shared = {
        frozenset((one["one"], one["other"])): one["overlap@10"] for one in content["agreement"]
    }
    measures = tuple(Measure(role, model_label(role), "", str) for role in roles[1:])
    lines = [
        Line(
            model_label(one),
            model_style(one),
            tuple(_share(shared.get(frozenset((one, other)))) if at > place else ""
                  for at, other in enumerate(roles) if at),
        )
        for place, one in enumerate(roles[:-1])
    ]  # fmt: skip
    return Table(measures, tuple(lines))


def _share(value: float | None) -> str:
    return wording.NONE if value is None else wording.percent(value)


def where(content: Mapping[str, Any]) -> Table:
    """Each teacher's lead over popularity in every group of cases that has users enough."""
    roles = ordered_models(part(content, "teachers"))
    lines = tuple(_groups(content, roles))
    return Table(tuple(Measure(role, model_label(role), "", str) for role in roles), lines)


def _groups(content: Mapping[str, Any], roles: Sequence[str]) -> Iterator[Line]:
    alpha = round(1 - (number(content, "bootstrap", "confidence") or 0.95), 9)
    for cut in part(content, "slices"):
        for name, measured in part(content, "slices", cut).items():
            if leads := part(measured, "leads"):
                label = f"{cut.capitalize()}: {group_label(name).lower()}"
                yield Line(label, "plain", tuple(_lead(leads, role, alpha) for role in roles))


def _lead(leads: Mapping[str, Any], role: str, alpha: float) -> str:
    found, p = interval(leads, role), number(leads, role, "p_holm")
    if found is None or p is None:
        return wording.NONE
    return f"{wording.signed(found.mean)}{' ✓' if p < alpha and found.mean > 0 else ''}"
