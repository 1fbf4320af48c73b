"""Reading `metrics.json` without assuming that every optional part is there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from recdistill.evaluation.report.wording import percent
from recdistill.evaluation.roles import FURTHER, POPULARITY, STUDENT, TEACHER, TWIN

_LABELS = {
    TEACHER: "Teacher",
    STUDENT: "Student",
    TWIN: "Student, not distilled",
    POPULARITY: "Popularity",
}
_ORDER = (TEACHER, STUDENT, TWIN, POPULARITY)


def part(tree: Any, *path: str) -> Mapping[str, Any]:
    """The mapping at `path`, empty when anything on the way is absent."""
    for key in path:
        if not isinstance(tree, Mapping):
            return {}
        tree = cast("Mapping[str, Any]", tree).get(key)
    return cast("Mapping[str, Any]", tree) if isinstance(tree, Mapping) else {}


def number(tree: Any, *path: str) -> float | None:
    """The finite number at `path`, or `None`."""
    value = part(tree, *path[:-1]).get(path[-1])
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def model_label(key: str) -> str:
    """How a person calls a model of `metrics["models"]`."""
    if key.startswith(f"{TEACHER}/"):
        return f"Teacher: {key.split('/', 1)[1]}"
    if key.startswith(f"{FURTHER}/"):
        return key.split("/", 1)[1]
    if key.startswith("tutor/"):
        return f"Tutor: {key.split('/', 1)[1]}"
    return _LABELS.get(key, key.replace("_", " ").replace("-", " "))


def model_style(key: str) -> str:
    """The CSS class that colours a model, on every chart the same."""
    if key.startswith(f"{TEACHER}/"):
        return "m-member"
    return f"m-{_ORDER.index(key)}" if key in _ORDER else "m-other"


def ordered_models(models: Mapping[str, Any]) -> list[str]:
    """Teacher, its members, student, twin, then popularity and anything else."""
    return sorted(models, key=_place)


def _place(key: str) -> tuple[int, str]:
    if key.startswith(f"{TEACHER}/"):
        return (1, key)
    places = {TEACHER: 0, STUDENT: 2, TWIN: 3, POPULARITY: 5}
    return (places.get(key, 4), key)


def confidence(metrics: Mapping[str, Any]) -> str:
    """How sure the intervals are, in words: `95 %`."""
    return percent(number(metrics, "bootstrap", "confidence") or 0.95)


def primary_metric(metrics: Mapping[str, Any]) -> str:
    """The metric of the verdict: the one named there, else `ndcg@10`, else the first."""
    named = part(metrics, "verdict").get("metric")
    if isinstance(named, str):
        return named
    names = list(part(metrics, "uplift")) or list(part(metrics, "models", STUDENT))
    return "ndcg@10" if "ndcg@10" in names or not names else names[0]
