"""What each model costs to keep and to ask, and what the teacher's knowledge cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.measures import Measure, Table, table
from recdistill.evaluation.report.reading import STUDENT, TEACHER, number, part

MEASURES = (
    Measure("parameters", "Parameters", "Numbers learned.", lambda value: wording.scaled(value)),
    Measure("bytes", "Size", "Bytes of the weights.", wording.size),
    Measure("flops", "Work a request", "Floating-point operations to answer one request.",
            lambda value: wording.scaled(value, "FLOP")),
    Measure("latency_p50", "Latency p50", "Half of the requests were answered within this time.",
            wording.duration),
    Measure("latency_p99", "Latency p99", "99 of 100 requests were answered within this time.",
            wording.duration),
)  # fmt: skip


@dataclass(frozen=True)
class Costs(Table):
    """The table, and how the student compares with the teacher."""

    ratios: tuple[str, ...]


def costs(metrics: Mapping[str, Any]) -> Costs:
    """The measures that any model has."""
    tree = part(metrics, "costs")
    found = table(tree, MEASURES)
    ratios = tuple(_ratio(tree, measure) for measure in found.measures)
    return Costs(found.measures, found.lines, ratios)


def _ratio(tree: Mapping[str, Any], measure: Measure) -> str:
    student, teacher = number(tree, STUDENT, measure.key), number(tree, TEACHER, measure.key)
    if not student or not teacher:
        return wording.NONE
    return wording.fraction(student, teacher).removesuffix(" of")
