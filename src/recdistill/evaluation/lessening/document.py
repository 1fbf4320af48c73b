"""`compression.json`: what every form of a student is worth and takes; described in `docs/compression.md`.

Everything that decides (losses, refusals, the front, its knee) is measured on validation. Figures of the test are
there to be read, for the student and for the one form that was chosen before the test was opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from recdistill.compression.pareto import Variant, front, knee
from recdistill.compression.settings import Tolerance
from recdistill.evaluation.document import bootstrap_facts, without_nan
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.lessening.contract import Footprint
from recdistill.evaluation.lessening.losses import loss
from recdistill.evaluation.metrics import Metric
from recdistill.evaluation.report.lessening.finding import finding
from recdistill.evaluation.significance import interval

FORMAT = 1
"""Grows when a key changes its meaning or goes; new keys do not change it."""


def lessening(
    found: Evaluation,
    footprints: Mapping[str, Footprint],
    reference: str,
    tolerance: Tolerance,
    unmade: Mapping[str, str],
) -> dict[str, Any]:
    """Everything but the test, as plain data.

    Args:
        found: every form on validation, several seeds each.
        footprints: of the same forms.
        reference: the form that nothing was done to.
        tolerance: what may be lost.
        unmade: forms that could not be written, and why.
    """
    metric = deciding(found)
    forms = {
        name: {**one.facts(), **_measured(found, name, reference, metric, tolerance)}
        for name, one in footprints.items()
    }
    content: dict[str, Any] = {
        "format": FORMAT,
        "metric": str(metric),
        "dataset": dict(found.dataset),
        "reference": reference,
        "tolerance": tolerance.model_dump(),
        "seeds": len(found.rankings[reference]),
        "forms": _marked(forms),
        "bootstrap": bootstrap_facts(found),
        "unmade": dict(unmade),
        "test": {},
    }
    return with_verdict(cast("dict[str, Any]", without_nan(content)))


def with_verdict(content: dict[str, Any]) -> dict[str, Any]:
    """The same with what it comes to, in words."""
    judged = finding(content)
    return content | {"verdict": {"result": judged.chip, "sentence": judged.sentence}}


def with_test(content: dict[str, Any], found: Evaluation) -> dict[str, Any]:
    """The same with the test's figures of the forms in `found`, in every metric."""
    values = {
        role: {str(metric): found.value(role, metric) for metric in found.metrics}
        for role in found.rankings
    }
    metric, reference = deciding(found), content["reference"]
    lost = {
        role: asdict(loss(found, role, reference, metric))
        for role in found.rankings
        if role != reference
    }
    test = {"models": values, "losses": lost, "dataset": dict(found.dataset)}
    return content | cast("dict[str, Any]", without_nan({"test": test}))


def deciding(found: Evaluation) -> Metric:
    """The first metric that judges accuracy."""
    return next(metric for metric in found.metrics if not metric.of_lists)


def chosen(content: Mapping[str, Any]) -> str | None:
    """The form at the knee."""
    return next((name for name, one in content["forms"].items() if one["mark"] == "knee"), None)


def _measured(
    found: Evaluation, name: str, reference: str, metric: Metric, tolerance: Tolerance
) -> dict[str, Any]:
    lost = loss(found, name, reference, metric)
    quality = interval(
        found.value(name, metric), found.draws[name, str(metric)], found.config.confidence
    )
    return {
        "quality": asdict(quality),
        "loss": asdict(lost),
        "refused": not tolerance.allows(lost.mean, lost.high),
    }


def _marked(forms: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The forms, each `refused`, on the `front` of those that are not, at its `knee`, or behind others (empty)."""
    points = [
        Variant(name, one["quality"]["mean"], one["bytes"], one["latency_p50"])
        for name, one in forms.items()
        if not one["refused"]
    ]
    ahead = front(points)
    best = knee(ahead)
    marks = {one.name: "knee" if one is best else "front" for one in ahead}
    return {
        name: {**one, "mark": "refused" if one["refused"] else marks.get(name, "")}
        for name, one in forms.items()
    }
