"""What distillation gave: the student against its twin and its teacher."""

from __future__ import annotations

from typing import Any

from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.metrics import Metric
from recdistill.evaluation.roles import STUDENT, TEACHER, TWIN
from recdistill.evaluation.significance import Interval, interval


def uplift(evaluation: Evaluation, metric: Metric, role: str = STUDENT) -> dict[str, Any] | None:
    """A student minus its twin, with its interval, and as a share of the twin; `None` without the two."""
    if not {role, TWIN} <= set(evaluation.rankings):
        return None
    student, twin = (evaluation.value(one, metric) for one in (role, TWIN))
    relative = (student - twin) / twin if twin else None
    if not metric.per_case:
        return {"mean": student - twin, "low": None, "high": None, "relative": relative}
    found = difference(evaluation, role, TWIN, metric)
    return {
        "mean": found.mean,
        "low": found.low,
        "high": found.high,
        "relative": relative,
        **_relative_bounds(evaluation, metric, role, relative),
    }


def difference(evaluation: Evaluation, one: str, other: str, metric: Metric) -> Interval:
    """The mean of one model minus that of another, with its interval; for `per_case` metrics."""
    draws = evaluation.draws
    return interval(
        evaluation.value(one, metric) - evaluation.value(other, metric),
        draws[one, str(metric)] - draws[other, str(metric)],
        evaluation.config.confidence,
    )


def _relative_bounds(
    evaluation: Evaluation, metric: Metric, role: str, relative: float | None
) -> dict[str, float | None]:
    """The interval of the share; none where a resampled twin scores nothing."""
    student, twin = (evaluation.draws[one, str(metric)] for one in (role, TWIN))
    if relative is None or not (twin > 0).all():
        return {"relative_low": None, "relative_high": None}
    bounds = interval(relative, student / twin - 1.0, evaluation.config.confidence)
    return {"relative_low": bounds.low, "relative_high": bounds.high}


def gap_closed(teacher: float, student: float, twin: float) -> tuple[float | None, str]:
    """`(student - twin) / (teacher - twin)`, or `None` and the reason why it says nothing."""
    if teacher <= twin:
        return None, "the teacher does not beat the student without distillation: there is no gap"
    return (student - twin) / (teacher - twin), ""


def retention(teacher: float, student: float) -> tuple[float | None, str]:
    """`student / teacher`, or `None` and the reason why it says nothing."""
    if teacher <= 0:
        return None, "the teacher scores nothing"
    return student / teacher, ""


def transfer(evaluation: Evaluation) -> dict[str, Any]:
    """Gap closed and retention for every metric of accuracy, and why some are missing."""
    gaps: dict[str, float | None] = {}
    kept: dict[str, float | None] = {}
    reasons: dict[str, dict[str, str]] = {"gap_closed": {}, "retention": {}}
    if not {TEACHER, STUDENT, TWIN} <= set(evaluation.rankings):
        return {"gap_closed": gaps, "retention": kept, "reasons": reasons}
    for metric in (metric for metric in evaluation.metrics if not metric.of_lists):
        name = str(metric)
        teacher, student, twin = (
            evaluation.value(role, metric) for role in (TEACHER, STUDENT, TWIN)
        )
        gaps[name], reasons["gap_closed"][name] = gap_closed(teacher, student, twin)
        kept[name], reasons["retention"][name] = retention(teacher, student)
    told = {
        which: {name: why for name, why in found.items() if why} for which, found in reasons.items()
    }
    return {"gap_closed": gaps, "retention": kept, "reasons": told}
