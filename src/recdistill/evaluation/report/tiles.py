"""The key figures, for a reader who stops after the first screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import IDEAS, metric_title
from recdistill.evaluation.report.interval import relative_uplift, uplift
from recdistill.evaluation.report.reading import STUDENT, TEACHER, confidence, number, part
from recdistill.evaluation.report.verdict import test_users


@dataclass(frozen=True)
class Tile:
    """A figure: what it is, its value, what to know about it, and its explanation."""

    label: str
    value: str
    detail: str = ""
    tip: str = ""
    tone: str = ""


def tiles(metrics: Mapping[str, Any], metric: str) -> list[Tile]:
    """The tiles whose figures are known, most important first."""
    return [
        *_uplift(metrics, metric),
        *_gap(metrics, metric),
        *_retention(metrics, metric),
        *_cost(metrics, "bytes", "Size", wording.size),
        *_cost(metrics, "latency_p50", "Latency, median", wording.duration),
        *_evidence(metrics),
    ]


def _uplift(metrics: Mapping[str, Any], metric: str) -> Iterator[Tile]:
    difference, share = uplift(metrics, metric), relative_uplift(metrics, metric)
    if difference is None:
        return
    value = wording.percent(share.mean, signed=True) if share else wording.signed(difference.mean)
    bounds = share.said(signed=True) if share else ""
    detail = f"{confidence(metrics)}: {bounds}" if bounds else "no interval"
    yield Tile(f"Uplift in {metric_title(metric)}", value, detail, IDEAS["Uplift"], difference.tone)


def _gap(metrics: Mapping[str, Any], metric: str) -> Iterator[Tile]:
    closed = number(metrics, "gap_closed", metric)
    if closed is not None:
        yield Tile("Gap closed", wording.percent(closed), "from its twin to the teacher",
                   IDEAS["Gap closed"])  # fmt: skip
    elif metric in part(metrics, "gap_closed"):
        why = part(metrics, "reasons", "gap_closed").get(metric)
        detail = str(why or "the teacher does not beat the undistilled student")
        yield Tile("Gap closed", wording.NONE, detail, IDEAS["Gap closed"])


def _retention(metrics: Mapping[str, Any], metric: str) -> Iterator[Tile]:
    share = number(metrics, "retention", metric)
    if share is not None:
        yield Tile("Retention", wording.percent(share), "of the teacher’s quality",
                   IDEAS["Retention"])  # fmt: skip


def _cost(
    metrics: Mapping[str, Any], name: str, label: str, write: Callable[[float], str]
) -> Iterator[Tile]:
    student = number(metrics, "costs", STUDENT, name)
    teacher = number(metrics, "costs", TEACHER, name)
    if student is None:
        return
    detail = f"teacher {write(teacher)}" if teacher is not None else ""
    yield Tile(label, write(student), detail)


def _evidence(metrics: Mapping[str, Any]) -> Iterator[Tile]:
    seeds, users = number(metrics, "seeds"), test_users(metrics)
    if seeds:
        detail = wording.plural(users, "test user") if users else ""
        yield Tile("Evidence", wording.plural(seeds, "seed"), detail, IDEAS["Seed"])
