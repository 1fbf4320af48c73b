"""The charts of an explanation: who is how good, and where the teacher has something to teach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from recdistill.evaluation.advice.contract import moved, title, value
from recdistill.evaluation.report import wording
from recdistill.evaluation.report.charts.intervals import Row
from recdistill.evaluation.report.charts.rows import row_chart
from recdistill.evaluation.report.figure import Figure, Key, figure
from recdistill.evaluation.report.interval import Interval, interval, model_value
from recdistill.evaluation.report.reading import (
    confidence,
    model_label,
    model_style,
    ordered_models,
    part,
)
from recdistill.evaluation.report.slices import group_label, slices
from recdistill.evaluation.roles import TWIN

_LEGEND = (
    Key("Better", "t-better"),
    Key("No difference shown", "t-neutral"),
    Key("Worse", "t-worse"),
)
_CUTS = {
    "popularity": "by popularity of the item",
    "history": "by length of the history",
    "confidence": "by how sure it is",
}


def quality(content: Mapping[str, Any]) -> tuple[Figure, ...]:
    """The three models, and the differences that decide."""
    metric, base = str(content["metric"]), value(content, TWIN)
    models = [
        Row(
            model_label(role),
            found,
            model_style(role),
            wording.significant(found.mean),
            _said(found),
        )
        for role in ordered_models(part(content, "models"))
        if (found := model_value(content, role, metric))
    ]
    names = {
        "teacher": "Teacher’s lead",
        "student": "Student’s gain",
        "left": "Left to take over",
    }
    apart = [
        Row(label, found.over(base), f"t-{found.tone}", moved(found, base), _shares(found, base))
        for name, label in names.items()
        if base > 0 and (found := interval(content, "differences", name))
    ]
    name = f"{title(content)} on validation"
    return tuple(_charts(content, name, models, apart))


def _charts(
    content: Mapping[str, Any], name: str, models: list[Row], apart: list[Row]
) -> Iterator[Figure]:
    yield figure(
        name,
        f"Dot: measured. Bar: {confidence(content)} interval. Right is better.",
        lambda width: row_chart(models, _spoken(name, models), width, _plain),
    )
    if apart:
        yield figure(
            "The differences that decide",
            "As shares of the undistilled student. Lead and gain: over the undistilled student. Left: teacher "
            "minus student.",
            lambda width: row_chart(apart, _spoken("Differences", apart), width, _percent),
        )


def leads(content: Mapping[str, Any]) -> tuple[Figure, ...]:
    """The teacher’s lead over the undistilled student in each slice, each beside everybody’s quality there."""
    beside = zip_longest(_leads(content), slices(content, str(content["metric"])))
    return tuple(one for pair in beside for one in pair if one is not None)


def _leads(content: Mapping[str, Any]) -> Iterator[Figure]:
    alpha = round(1 - (content["bootstrap"]["confidence"] or 0.95), 9)
    for cut, label in _CUTS.items():
        rows = [
            _lead(name, measured["lead"], alpha)
            for name, measured in part(content, "slices", cut).items()
            if measured.get("lead")
        ]
        if rows:
            yield figure(
                f"The teacher’s lead {label}",
                f"Teacher minus undistilled student, in {title(content)}. Coloured only where the p-value, corrected "
                "for the number of groups, leaves no room for chance.",
                _drawing(label, rows),
                _LEGEND,
            )


def _drawing(label: str, rows: list[Row]) -> Callable[[float], str]:
    return lambda width: row_chart(rows, _spoken(label, rows), width, _plain)


def _lead(name: str, lead: Mapping[str, Any], alpha: float) -> Row:
    found = Interval(lead["mean"], lead["low"], lead["high"])
    shown = lead["p_holm"] < alpha
    tone = "neutral" if not shown else "better" if found.mean > 0 else "worse"
    return Row(group_label(name), found, f"t-{tone}", wording.signed(found.mean), _said(found))


def _said(found: Interval) -> str:
    return " to ".join(wording.significant(bound) for bound in found.bounds or ())


def _shares(found: Interval, base: float) -> str:
    return found.over(base).said(signed=True)


def _spoken(title: str, rows: list[Row]) -> str:
    return f"{title}: " + "; ".join(f"{row.label} {row.written} ({row.detail})" for row in rows)


def _plain(number: float) -> str:
    return f"{number:.6g}".replace("-", wording.MINUS)


def _percent(number: float) -> str:
    return wording.percent(number, signed=True) if number else "0"
