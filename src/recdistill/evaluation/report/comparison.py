"""The comparison: a chart of the models, a chart of the uplift, and the table behind both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.charts.intervals import Row
from recdistill.evaluation.report.charts.rows import row_chart
from recdistill.evaluation.report.figure import Figure, figure
from recdistill.evaluation.report.glossary import metric_meaning, metric_title, term
from recdistill.evaluation.report.interval import (
    Interval,
    model_value,
    relative_uplift,
    uplift,
)
from recdistill.evaluation.report.reading import (
    confidence,
    model_label,
    model_style,
    ordered_models,
    part,
)


@dataclass(frozen=True)
class Cell:
    """A value with its interval, and whether it is the best of its column."""

    value: str
    interval: str = ""
    best: bool = False
    tone: str = ""


@dataclass(frozen=True)
class Column:
    """A metric at the head of the table."""

    title: str
    meaning: str
    direction: str


@dataclass(frozen=True)
class Line:
    """A model's row."""

    label: str
    style: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Comparison:
    """All that the section shows."""

    figures: tuple[Figure, ...]
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    uplift: tuple[Cell, ...]


def comparison(metrics: Mapping[str, Any], metric: str) -> Comparison:
    """The section, from the parts of the metrics that are there."""
    models = part(metrics, "models")
    names = metric_names(models)
    return Comparison(
        tuple(_figures(metrics, metric, names)),
        tuple(_column(name) for name in names),
        tuple(_line(metrics, model, names) for model in ordered_models(models)),
        tuple(_uplift_cell(metrics, name) for name in names) if part(metrics, "uplift") else (),
    )


def metric_names(models: Mapping[str, Any]) -> list[str]:
    """Every metric of any model, in the order in which the models list them."""
    return list(dict.fromkeys(name for model in models for name in part(models, model)))


def _figures(metrics: Mapping[str, Any], metric: str, names: list[str]) -> Iterator[Figure]:
    title = metric_title(metric)
    if rows := _model_rows(metrics, metric):
        yield figure(
            f"{title} of each model",
            f"Dot: measured. Bar: {confidence(metrics)} interval. Right is better.",
            lambda width: row_chart(rows, _spoken(title, rows), width, _axis_value),
        )
    if gains := _uplift_rows(metrics, names):
        yield figure(
            "What distillation changed, metric by metric",
            f"Student against its undistilled twin. {_legend(gains)}",
            lambda width: row_chart(gains, _spoken("Uplift", gains), width, _axis_percent),
        )


def _legend(rows: list[Row]) -> str:
    hollow = any(row.value.bounds is None for row in rows)
    crossing = "A bar that crosses zero shows no difference."
    return f"{crossing} Hollow: a whole-list measure without an interval." if hollow else crossing


def _axis_value(value: float) -> str:
    return f"{value:.6g}".replace("-", wording.MINUS)


def _axis_percent(value: float) -> str:
    return wording.percent(value, signed=True) if value else "0"


def _spoken(title: str, rows: list[Row]) -> str:
    return f"{title}: " + "; ".join(f"{row.label} {row.written} {row.detail}" for row in rows)


def _model_rows(metrics: Mapping[str, Any], metric: str) -> list[Row]:
    rows: list[Row] = []
    for model in ordered_models(part(metrics, "models")):
        value = model_value(metrics, model, metric)
        if value is not None:
            rows.append(Row(model_label(model), value, model_style(model),
                            wording.significant(value.mean), _bounds(value)))  # fmt: skip
    return rows


def _uplift_rows(metrics: Mapping[str, Any], names: list[str]) -> list[Row]:
    rows: list[Row] = []
    for name in names:
        share = relative_uplift(metrics, name)
        if share is not None and term(name).better == "higher":
            written = wording.percent(share.mean, signed=True)
            detail = share.said(signed=True)
            rows.append(Row(metric_title(name), share, f"t-{share.tone}", written, detail))
    return rows


def _bounds(value: Interval) -> str:
    if value.bounds is None:
        return ""
    return " to ".join(wording.significant(bound) for bound in value.bounds)


def _column(name: str) -> Column:
    arrows = {"higher": "higher is better", "lower": "lower is better", "neither": ""}
    return Column(metric_title(name), metric_meaning(name), arrows[term(name).better])


def _line(metrics: Mapping[str, Any], model: str, names: list[str]) -> Line:
    return Line(
        model_label(model),
        model_style(model),
        tuple(_cell(metrics, model, name) for name in names),
    )


def _cell(metrics: Mapping[str, Any], model: str, name: str) -> Cell:
    value = model_value(metrics, model, name)
    if value is None:
        return Cell(wording.NONE)
    best = value.mean == _best(part(metrics, "models"), name)
    return Cell(wording.significant(value.mean), _bounds(value), best)


def _best(models: Mapping[str, Any], name: str) -> float | None:
    direction = term(name).better
    values = [part(models, model).get(name) for model in models]
    known = [value for value in values if isinstance(value, int | float)]
    if direction == "neither" or len(known) < 2:
        return None
    return max(known) if direction == "higher" else min(known)


def _uplift_cell(metrics: Mapping[str, Any], name: str) -> Cell:
    share, difference = relative_uplift(metrics, name), uplift(metrics, name)
    if share is None:
        return Cell(wording.signed(difference.mean) if difference else wording.NONE)
    tone = share.tone if term(name).better == "higher" else ""
    return Cell(wording.percent(share.mean, signed=True), share.said(signed=True), tone=tone)
