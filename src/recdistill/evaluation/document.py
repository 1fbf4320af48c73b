"""`metrics.json`: a stable interface, described in `docs/metrics.md`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

from recdistill.evaluation.agreement import agreement
from recdistill.evaluation.comparison import transfer, uplift
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.report.verdict import verdict as judged
from recdistill.evaluation.roles import STUDENT
from recdistill.evaluation.significance import Interval, interval
from recdistill.evaluation.slices import slices

FORMAT = 1
"""Grows when a key changes its meaning or goes; new keys do not change it."""


def document(
    evaluation: Evaluation,
    timing: Mapping[str, float],
    labelling: Mapping[str, Any],
    notes: Iterable[str],
    inheritance: Mapping[str, Mapping[str, float]],
    outcomes: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything that an evaluation found, as plain data without a NaN."""
    found = transfer(evaluation)
    content: dict[str, Any] = {
        "format": FORMAT,
        "models": _models(evaluation),
        "gap_closed": found["gap_closed"],
        "retention": found["retention"],
        "uplift": _uplifts(evaluation),
        "seeds": len(evaluation.rankings.get(STUDENT, next(iter(evaluation.rankings.values())))),
        "dataset": dict(evaluation.dataset),
        "timing": {
            **timing,
            "evaluation_seconds": evaluation.seconds,
            "ranking": _ranking(evaluation),
        },
        "intervals": _intervals(evaluation),
        "spread": _spread(evaluation),
        "slices": slices(evaluation),
        "agreement": agreement(evaluation),
        "inheritance": {role: dict(values) for role, values in inheritance.items()},
        "outcomes": dict(outcomes),
        "costs": {role: cost.facts() for role, cost in evaluation.costs.items()},
        "labelling": dict(labelling),
        "notes": list(notes),
        "reasons": found["reasons"],
        "bootstrap": bootstrap_facts(evaluation),
    }
    content["verdict"] = _verdict(evaluation, content)
    return cast("dict[str, Any]", without_nan(content))


def _models(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    return {
        role: {str(metric): evaluation.value(role, metric) for metric in evaluation.metrics}
        for role in evaluation.rankings
    }


def _uplifts(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    found = {str(metric): uplift(evaluation, metric) for metric in evaluation.metrics}
    return {name: value for name, value in found.items() if value is not None}


def _intervals(evaluation: Evaluation) -> dict[str, dict[str, dict[str, float]]]:
    """The interval of every model's every mean over cases."""
    found: dict[str, dict[str, dict[str, float]]] = {role: {} for role in evaluation.rankings}
    for (role, metric), draws in evaluation.draws.items():
        bounds = interval(0.0, draws, evaluation.config.confidence)
        found[role][metric] = {"low": bounds.low, "high": bounds.high}
    return found


def _spread(evaluation: Evaluation) -> dict[str, dict[str, float | None]]:
    """The standard deviation over seeds (with `n - 1`), `None` for a single one."""
    return {
        role: {
            str(metric): _deviation(evaluation, role, str(metric)) for metric in evaluation.metrics
        }
        for role in evaluation.rankings
    }


def _deviation(evaluation: Evaluation, role: str, name: str) -> float | None:
    metric = next(metric for metric in evaluation.metrics if str(metric) == name)
    seeds = evaluation.by_seed(role, metric)
    return float(seeds.std(ddof=1)) if len(seeds) > 1 else None


def _ranking(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """How fast each model ranked its test."""
    found: dict[str, dict[str, float]] = {}
    for role, rankings in evaluation.rankings.items():
        seconds = sum(one.seconds for one in rankings)
        cases = sum(len(one) for one in rankings)
        found[role] = {"seconds": seconds, "cases_per_second": cases / max(seconds, 1e-9)}
    return found


def bootstrap_facts(evaluation: Evaluation) -> dict[str, Any]:
    """How intervals came about."""
    return {
        "resamples": evaluation.config.resamples,
        "confidence": evaluation.config.confidence,
        "seed": evaluation.config.seed,
        "clusters": "users",
        "seeds_resampled": any(len(seeds) > 1 for seeds in evaluation.rankings.values()),
    }


def _verdict(evaluation: Evaluation, content: Mapping[str, Any]) -> dict[str, Any]:
    """What the interval of the primary metric shows, for programs and in words."""
    name = str(evaluation.primary) if evaluation.primary else None
    found = content["uplift"].get(name)
    if found is None:
        return {"metric": name, "result": "not measured", "sentence": ""}
    result = Interval(found["mean"], found["low"], found["high"]).shows
    sentence = judged({**content, "verdict": {"metric": name}}).sentence
    return {"metric": name, "result": result, "sentence": sentence}


def without_nan(value: Any) -> Any:
    """The same with `None` for what is not a finite number: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: without_nan(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [without_nan(one) for one in cast("list[Any]", value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
