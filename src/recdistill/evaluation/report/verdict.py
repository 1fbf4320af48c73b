"""The verdict: one sentence that says no more than the interval allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.interval import Interval, relative_uplift, uplift
from recdistill.evaluation.report.reading import (
    STUDENT,
    TEACHER,
    confidence,
    number,
    primary_metric,
)

CHIPS = {
    "better": "Better",
    "worse": "Worse",
    "neutral": "No difference shown",
    "unknown": "Not measured",
}
"""The tones in words."""


@dataclass(frozen=True)
class Verdict:
    """What the page says first.

    Attributes:
        tone: `better`, `worse`, `neutral` or `unknown`.
        chip: the tone in words.
        finding: what distillation did.
        evidence: how well that is known, in parentheses; empty when it is not.
        standing: what the student keeps of the teacher; empty without one.
        metric: the metric that decided.
    """

    tone: str
    chip: str
    finding: str
    evidence: str
    standing: str
    metric: str

    @property
    def sentence(self) -> str:
        """All of it as running text."""
        said = " ".join(filter(None, (self.finding, self.evidence)))
        return f"{said}. {self.standing}".strip()


def verdict(metrics: Mapping[str, Any]) -> Verdict:
    """Judge the student against its undistilled twin on the primary metric."""
    metric = primary_metric(metrics)
    difference = uplift(metrics, metric)
    tone = difference.tone if difference else "unknown"
    known = difference if difference and difference.bounds else None
    finding = _finding(metrics, metric, tone, known)
    evidence = _evidence(metrics, metric, known) if known else ""
    return Verdict(tone, CHIPS[tone], finding, evidence, _standing(metrics, metric), metric)


def _finding(
    metrics: Mapping[str, Any], metric: str, tone: str, difference: Interval | None
) -> str:
    name = metric_title(metric)
    if difference is None:
        return f"Whether distillation changed {name} was not measured"
    if tone == "neutral":
        return (
            f"No difference could be shown: {name} moved by {_moved(metrics, metric, difference)}"
        )
    amount = _moved(metrics, metric, difference).lstrip(f"+{wording.MINUS}")
    return f"Distillation {'raised' if tone == 'better' else 'lowered'} {name} by {amount}"


def _moved(metrics: Mapping[str, Any], metric: str, difference: Interval) -> str:
    share = relative_uplift(metrics, metric)
    return wording.percent(share.mean, signed=True) if share else wording.signed(difference.mean)


def _evidence(metrics: Mapping[str, Any], metric: str, difference: Interval) -> str:
    share = relative_uplift(metrics, metric)
    bounds = share.said(signed=True) if share else ""
    if not bounds:
        bounds = " to ".join(wording.signed(bound) for bound in difference.bounds or ())
    return f"({confidence(metrics)} interval {bounds}{sample(metrics)})"


def sample(metrics: Mapping[str, Any]) -> str:
    """`, 3 seeds, 166 users`, as far as they are known."""
    seeds, users = number(metrics, "seeds"), test_users(metrics)
    parts = [
        wording.plural(seeds, "seed") if seeds else "",
        wording.plural(users, "user") if users else "",
    ]
    return "".join(f", {text}" for text in parts if text)


def test_users(metrics: Mapping[str, Any]) -> float | None:
    """How many users the test has."""
    return number(metrics, "dataset", "test_users") or number(metrics, "dataset", "cases")


def _standing(metrics: Mapping[str, Any], metric: str) -> str:
    """What the student keeps of the teacher, and at what size."""
    student = number(metrics, "models", STUDENT, metric)
    teacher = number(metrics, "models", TEACHER, metric)
    if student is None or not teacher:
        return ""
    share = student / teacher
    quality = (
        f"The student keeps {wording.percent(share)} of the teacher’s quality"
        if share <= 1
        else f"The student scores {wording.percent(share - 1)} above its teacher"
    )
    return f"{quality}{_at_size(metrics)}."


def _at_size(metrics: Mapping[str, Any]) -> str:
    student = number(metrics, "costs", STUDENT, "bytes")
    teacher = number(metrics, "costs", TEACHER, "bytes")
    if not student or not teacher:
        return ""
    beside = wording.fraction(student, teacher)
    return " at the same size" if beside == wording.SAME else f" at {beside} its size"
