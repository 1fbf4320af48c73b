"""What each model costs to keep and to ask, and what the teacher's knowledge cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.reading import (
    STUDENT,
    TEACHER,
    model_label,
    model_style,
    number,
    ordered_models,
    part,
)


@dataclass(frozen=True)
class Measure:
    """A cost: its place in the metrics, its name, its meaning, how it is written."""

    key: str
    label: str
    meaning: str
    write: Callable[[float], str]


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
class CostLine:
    """A model's costs, in the order of the measures shown."""

    label: str
    style: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Costs:
    """The table, and how the student compares with the teacher."""

    measures: tuple[Measure, ...]
    lines: tuple[CostLine, ...]
    ratios: tuple[str, ...]


def costs(metrics: Mapping[str, Any]) -> Costs:
    """The measures that any model has."""
    tree = part(metrics, "costs")
    models = [model for model in ordered_models(tree) if _any(tree, model)]
    shown = tuple(m for m in MEASURES if any(number(tree, x, m.key) is not None for x in models))
    lines = tuple(
        CostLine(model_label(model), model_style(model),
                 tuple(_written(number(tree, model, m.key), m) for m in shown))
        for model in models
    )  # fmt: skip
    return Costs(shown, lines, tuple(_ratio(tree, m) for m in shown) if models else ())


def _any(tree: Mapping[str, Any], model: str) -> bool:
    return any(number(tree, model, measure.key) is not None for measure in MEASURES)


def _written(value: float | None, measure: Measure) -> str:
    return wording.NONE if value is None else measure.write(value)


def _ratio(tree: Mapping[str, Any], measure: Measure) -> str:
    student, teacher = number(tree, STUDENT, measure.key), number(tree, TEACHER, measure.key)
    if not student or not teacher:
        return wording.NONE
    return wording.fraction(student, teacher).removesuffix(" of")
