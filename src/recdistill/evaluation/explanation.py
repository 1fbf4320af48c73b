"""`explanation.json`: why distillation helped or hurt; a stable interface, described in `docs/explanation.md`.

Everything is measured on validation cases and on training events. The test stays closed: whoever changes a recipe
after reading this may still open it once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np

from recdistill.distill.sharpness import Sharpness
from recdistill.distill.tension import Tension, cosines
from recdistill.evaluation import lessons
from recdistill.evaluation.advice import advise
from recdistill.evaluation.agreement import agreement
from recdistill.evaluation.calibration import Beliefs, mean_facts
from recdistill.evaluation.comparison import difference
from recdistill.evaluation.document import bootstrap_facts, without_nan
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.inheritance import Values, gaps
from recdistill.evaluation.metrics import Metric
from recdistill.evaluation.report.explanation.finding import finding
from recdistill.evaluation.roles import STUDENT, TEACHER, TWIN
from recdistill.evaluation.significance import Interval, interval
from recdistill.evaluation.slices import cuts, slices

FORMAT = 1
"""Grows when a key changes its meaning or goes; new keys do not change it."""
DIFFERENCES = {"teacher": (TEACHER, TWIN), "student": (STUDENT, TWIN), "left": (TEACHER, STUDENT)}
"""What is subtracted from what: the teacher's lead, what the student gained, what it has not got."""


@dataclass(frozen=True)
class Looked:
    """What was looked at.

    Attributes:
        held_out: teacher, students and twins on validation cases; only its primary metric is used.
        fitted: the same models on training events.
        beliefs: by role, one a seed, of the validation cases.
        likeness: by role, of student and twin to the teacher.
        temperature: at which the teacher's probabilities fit the validation answers best.
        recipe: by which the students learned, as plain data.
        terms: label, signal, weight and temperature of each term of the phase in which the teacher speaks.
        sharpness: of what it said.
        hints: what training advised after a look at it.
        tension: between the terms at the best student.
    """

    held_out: Evaluation
    fitted: Evaluation
    beliefs: Mapping[str, Sequence[Beliefs]]
    likeness: Values
    temperature: float
    recipe: Mapping[str, Any]
    terms: Sequence[Mapping[str, Any]]
    sharpness: Sequence[Sharpness] = ()
    hints: Sequence[str] = field(default=())
    tension: Tension | None = None


def explanation(looked: Looked) -> dict[str, Any]:
    """The content of `explanation.json`, without a NaN."""
    held_out = looked.held_out
    metric = next(metric for metric in held_out.metrics if not metric.of_lists)
    content: dict[str, Any] = {
        "format": FORMAT,
        "metric": str(metric),
        "seeds": len(held_out.rankings[STUDENT]),
        "dataset": dict(held_out.dataset),
        "recipe": dict(looked.recipe),
        "terms": [dict(term) for term in looked.terms],
        **_quality(held_out, metric),
        "slices": _slices(looked, metric),
        "agreement": agreement(held_out),
        "taken_over": asdict(lessons.taken_over(held_out)),
        "likeness": looked.likeness,
        "calibration": {role: mean_facts(seeds) for role, seeds in looked.beliefs.items()},
        "surplus_confidence": asdict(_surplus(looked)),
        "temperature": looked.temperature,
        "sharpness": [asdict(one) for one in looked.sharpness],
        "hints": list(looked.hints),
        "generalisation": _generalisation(looked, metric),
        "tension": _tension(looked.tension) if looked.tension else None,
        "bootstrap": bootstrap_facts(held_out),
    }
    content = cast("dict[str, Any]", without_nan(content))
    content["advice"] = [asdict(one) for one in advise(content)]
    judged = finding(content)
    return content | {"verdict": {"result": judged.chip, "sentence": judged.sentence}}


def _quality(held_out: Evaluation, metric: Metric) -> dict[str, Any]:
    confidence = held_out.config.confidence
    values = {role: held_out.value(role, metric) for role in held_out.rankings}
    return {
        "models": {role: {str(metric): value} for role, value in values.items()},
        "intervals": {
            role: {
                str(metric): _bounds(interval(0.0, held_out.draws[role, str(metric)], confidence))
            }
            for role in held_out.rankings
        },
        "differences": {
            name: asdict(difference(held_out, one, other, metric))
            for name, (one, other) in DIFFERENCES.items()
        },
        "contests": lessons.contests(held_out),
    }


def _bounds(found: Interval) -> dict[str, float]:
    return {"low": found.low, "high": found.high}


def _slices(looked: Looked, metric: Metric) -> dict[str, Any]:
    """Every slice as in `metrics.json`, with the teacher's lead over the twin where there are users enough."""
    held_out = looked.held_out
    confidence = looked.beliefs[TEACHER][0].confidence
    further = {"confidence": lessons.by_confidence(held_out, confidence)}
    found = slices(held_out, further)
    leads = lessons.leads(held_out, metric, {**cuts(held_out), **further})
    for cut, parts in found.items():
        for name, measured in parts.items():
            measured["lead"] = leads[cut].get(name)
    for name, upto in zip(
        lessons.CONFIDENCE_GROUPS, np.quantile(confidence, [0.25, 0.5, 0.75, 1.0]), strict=True
    ):
        found["confidence"].get(name, {})["upto"] = float(upto)
    return found


def _surplus(looked: Looked) -> Interval:
    """How much surer the teacher is of its best item than it is right."""
    seeds = looked.beliefs[TEACHER]
    surplus = np.stack([one.confidence - one.right for one in seeds])
    draws = looked.held_out.bootstrap.means(looked.held_out.cases.users, {TEACHER: surplus})
    return interval(float(surplus.mean()), draws[TEACHER], looked.held_out.config.confidence)


def _generalisation(looked: Looked, metric: Metric) -> dict[str, Any]:
    """Each model on what taught it and on what did not, and how the student's gap differs from its twin's."""
    name, held_out, fitted = str(metric), looked.held_out.draws, looked.fitted.draws
    found: dict[str, Any] = dict(gaps(looked.fitted, looked.held_out, metric))
    apart = [fitted[role, name] - held_out[role, name] for role in (STUDENT, TWIN)]
    mean = found[STUDENT]["gap"] - found[TWIN]["gap"]
    confidence = looked.held_out.config.confidence
    return {"models": found, "difference": asdict(interval(mean, apart[0] - apart[1], confidence))}


def _tension(tension: Tension) -> dict[str, Any]:
    """Means over batches, with their standard errors."""
    terms, norms = tension.labels[:-1], tension.norms
    whole, items, encoder = (
        cosines(part) for part in (tension.whole, tension.items, tension.encoder)
    )
    places = range(len(terms))
    return {
        "batches": len(whole),
        "terms": [
            {
                "term": label,
                "weight": tension.weights[at],
                "pull": tension.weights[at] * float(norms[at]),
                "held_out": _mean(whole[:, at, -1]),
            }
            for at, label in enumerate(terms)
        ],
        "pairs": [
            {
                "one": terms[one],
                "other": terms[other],
                **_mean(whole[:, one, other]),
                "opposed": float((whole[:, one, other] < 0).mean()),
                "items": float(items[:, one, other].mean()),
                "encoder": float(encoder[:, one, other].mean()),
            }
            for one in places
            for other in places
            if one < other
        ],
    }


def _mean(values: np.ndarray) -> dict[str, float]:
    """The mean over batches and its standard error; none of a single batch."""
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return {"cosine": float(values.mean()), "error": float(error)}
