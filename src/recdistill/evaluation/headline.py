"""The few numbers of `metrics.json` that travel with a student: how good it is, and what distillation gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.report.reading import number, primary_metric
from recdistill.evaluation.roles import STUDENT, TEACHER, TWIN


def headline(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The verdict's metric of student, undistilled student and teacher, the uplift with its interval, the seeds.

    Args:
        metrics: the content of `metrics.json`; any part may be absent.

    Returns:
        Flat names such as `student/ndcg@10` and `uplift/ndcg@10/low`; what was not measured is left out.
    """
    return {name: value for name, value in _numbers(metrics) if value is not None}


def _numbers(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    metric = primary_metric(metrics)
    for role in (STUDENT, TWIN, TEACHER):
        yield f"{role}/{metric}", number(metrics, "models", role, metric)
    yield f"uplift/{metric}", number(metrics, "uplift", metric, "mean")
    for bound in ("low", "high"):
        yield f"uplift/{metric}/{bound}", number(metrics, "uplift", metric, bound)
    yield "seeds", number(metrics, "seeds")
