"""How it was measured, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.cautions import split_kind
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.reading import (
    STUDENT,
    TWIN,
    confidence,
    number,
    part,
    primary_metric,
)
from recdistill.evaluation.report.verdict import test_users

_SPLITS = {
    "global-time": "Everything before one moment is for training; what people did after it is the "
    "test. No model saw anything from the future.",
    "leave-one-out": "Each person's last event is the test and the one before it the validation. "
    "Common in the literature, but other people's later events are in the training data.",
    "last-fraction": "The last share of each person's events is the test.",
}


@dataclass(frozen=True)
class Step:
    """One aspect of the protocol."""

    name: str
    text: str


def protocol(metrics: Mapping[str, Any]) -> tuple[Step, ...]:
    """The aspects that the metrics record, and those that always hold."""
    return tuple(_steps(metrics))


def _steps(metrics: Mapping[str, Any]) -> Iterator[Step]:
    if split := split_kind(metrics):
        yield Step("Split", f"{split.capitalize()}. {_SPLITS.get(split, '')}".strip())
    yield Step("Ranking", _ranking(metrics))
    yield Step(
        "Fair comparison",
        "Student and twin share architecture, data, budget, loss and early stopping on validation. "
        "The only difference is the teacher.",
    )
    if seeds := number(metrics, "seeds"):
        trainings = wording.plural(seeds, "training")
        yield Step(
            "Seeds",
            f"{trainings} of student and of twin, each from another random start; metrics are "
            f"means over them.{_spread(metrics)}",
        )
    yield Step("Interval", _interval(metrics))
    yield Step(
        "Verdict",
        f"By the interval of {metric_title(primary_metric(metrics))}, fixed before the test was "
        "opened. The other metrics are there to be looked at, not to be picked from.",
    )
    yield Step(
        "Test data", "Opened once, after training. Nothing that trains or selects can read it."
    )


def _spread(metrics: Mapping[str, Any]) -> str:
    metric = primary_metric(metrics)
    student = number(metrics, "spread", STUDENT, metric)
    twin = number(metrics, "spread", TWIN, metric)
    if student is None or twin is None:
        return ""
    return (
        f" Between seeds, {metric_title(metric)} differs by ±{wording.significant(student, 2)} "
        f"(student) and ±{wording.significant(twin, 2)} (twin), one standard deviation."
    )


def _ranking(metrics: Mapping[str, Any]) -> str:
    items = number(metrics, "dataset", "items")
    whole = f"all {wording.count(items)} items" if items else "the whole catalogue"
    seen = {True: "; items that the person already took are left out", False: ""}
    filtered = part(metrics, "dataset").get("filter_seen")
    return f"Each model ranks {whole}, not a sample{seen.get(filtered is True, '')}."


def _interval(metrics: Mapping[str, Any]) -> str:
    users, times = test_users(metrics), number(metrics, "bootstrap", "resamples")
    who = f"the {wording.count(users)} test users" if users else "the test users"
    often = f"{wording.count(times)} times" if times else "many times"
    seeds = part(metrics, "bootstrap").get("seeds_resampled") is True
    return (
        f"A paired bootstrap: {who} are drawn anew with replacement {often}, and student minus "
        "twin is computed for the same people each time. The middle "
        f"{confidence(metrics)} of the results are the interval."
        f"{' Seeds are drawn anew as well.' if seeds else ''}"
    )
