"""The judgement for a terminal: a line a teacher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.interval import interval, model_value
from recdistill.evaluation.report.reading import model_label, number, ordered_models, part
from recdistill.evaluation.report.teachers.calling import called

_HEAD = ("", "", "", "over popularity", "right > wrong", "ECE", "a case", "")


def table(content: Mapping[str, Any]) -> str:
    """Name, metric with its interval, lead over popularity, AUC, calibration, time a case, and what it is called."""
    metric = str(content["metric"])
    rows = [("teacher", metric_title(metric), *_HEAD[2:]), *_rows(content, metric)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _rows(content: Mapping[str, Any], metric: str) -> Iterator[tuple[str, ...]]:
    for role in ordered_models(part(content, "models")):
        found, teacher = model_value(content, role, metric), part(content, "teachers", role)
        bounds = " to ".join(map(wording.significant, (found and found.bounds) or ()))
        value = wording.significant(found.mean) if found else wording.NONE
        yield model_label(role), value, f"({bounds})", *(_judged(teacher) if teacher else [""] * 5)


def _judged(teacher: Mapping[str, Any]) -> Iterator[str]:
    lead = interval(teacher, "over_popularity")
    yield wording.signed(lead.mean) if lead else wording.NONE
    for write, path in (
        (wording.percent, ("chance", "auc", "value")),
        (wording.percent, ("calibration", "calibration_error")),
        (wording.duration, ("cost", "seconds_per_case")),
    ):
        value = number(teacher, *path)
        yield wording.NONE if value is None else write(value)
    yield called(teacher).word
