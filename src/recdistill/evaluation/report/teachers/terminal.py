"""The judgement for a terminal: a line a teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.interval import interval, model_value
from recdistill.evaluation.report.reading import model_label, number, ordered_models, part
from recdistill.evaluation.report.teachers.calling import called
from recdistill.evaluation.report.teachers.tables import grounding

Writing = Callable[[Mapping[str, Any]], str]
"""From a teacher to a cell."""


def table(content: Mapping[str, Any]) -> str:
    """Name, metric with its interval, lead over popularity, AUC, calibration, time a case, and what it is called; where
    any teacher has them, also the share of named items in the catalogue, the bias of order, calls and money."""
    metric, roles = str(content["metric"]), ordered_models(part(content, "models"))
    teachers = [part(content, "teachers", role) for role in roles]
    judged = [(head, *(write(one) if one else "" for one in teachers)) for head, write in _COLUMNS]
    columns = [
        ("teacher", *map(model_label, roles)),
        *_measured(content, metric, roles),
        *(cells for cells in judged if {*cells[1:]} - {"", wording.NONE}),
    ]
    widths = [max(map(len, cells)) for cells in columns]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    )


def _measured(
    content: Mapping[str, Any], metric: str, roles: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    found = [model_value(content, role, metric) for role in roles]
    values = (wording.significant(one.mean) if one else wording.NONE for one in found)
    yield metric_title(metric), *values
    bounds = (map(wording.significant, (one and one.bounds) or ()) for one in found)
    yield "", *(f"({' to '.join(both)})" for both in bounds)


def _lead(teacher: Mapping[str, Any]) -> str:
    lead = interval(teacher, "over_popularity")
    return wording.signed(lead.mean) if lead else wording.NONE


def _at(write: Callable[[float], str], *path: str) -> Writing:
    def written(teacher: Mapping[str, Any]) -> str:
        value = number(teacher, *path)
        return wording.NONE if value is None else write(value)

    return written


_COLUMNS: tuple[tuple[str, Writing], ...] = (
    ("over popularity", _lead),
    ("right > wrong", _at(wording.percent, "chance", "auc", "value")),
    ("ECE", _at(wording.percent, "calibration", "calibration_error")),
    ("in catalogue", grounding),
    ("order bias", _at(wording.signed, "candidates", "order", "slope")),
    ("calls", _at(wording.count, "account", "calls")),
    ("money", _at(wording.significant, "account", "money")),
    ("a case", _at(wording.duration, "cost", "seconds_per_case")),
    ("", lambda teacher: called(teacher).word),
)
