"""The charts of a judgement: how good each teacher is, what it adds to popularity, what its judge adds to the base."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.charts.intervals import Row
from recdistill.evaluation.report.charts.rows import row_chart
from recdistill.evaluation.report.figure import Figure, Key, figure
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.interval import Interval, interval, model_value
from recdistill.evaluation.report.reading import (
    confidence,
    model_label,
    model_style,
    number,
    ordered_models,
    part,
)
from recdistill.evaluation.report.teachers.finding import by_chance

_LEGEND = (
    Key("Better", "t-better"),
    Key("No difference shown", "t-neutral"),
    Key("Worse", "t-worse"),
)


def quality(content: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Everybody's metric with chance below, and every teacher's lead over popularity."""
    metric = str(content["metric"])
    models = [
        Row(
            model_label(role),
            found,
            model_style(role),
            wording.significant(found.mean),
            _said(found),
        )
        for role in ordered_models(part(content, "models"))
        if (found := model_value(content, role, metric))
    ]
    if metric == "ndcg@10":
        random = by_chance(content)
        models.append(Row("Chance", Interval(random), "t-unknown", wording.significant(random, 2)))
    title = metric_title(metric)
    return (
        figure(
            f"{title} on validation",
            f"Dot: measured. Bar: {confidence(content)} interval. Right is better.",
            _drawing(title, models),
        ),
        _leads(content, title),
    )


def _leads(content: Mapping[str, Any], title: str) -> Figure:
    rows = [
        Row(model_label(role), found, f"t-{found.tone}", wording.signed(found.mean), _said(found))
        for role in ordered_models(part(content, "teachers"))
        if (found := interval(content, "teachers", role, "over_popularity"))
    ]
    return figure(
        "What each teacher adds to popularity",
        f"{title}, teacher minus popularity, on the same cases.",
        _drawing("Lead over popularity", rows),
        _LEGEND,
    )


def judges(content: Mapping[str, Any]) -> tuple[Figure, ...]:
    """What judges do with candidates; nothing where no teacher has one."""
    return tuple(_judges(content))


def _judges(content: Mapping[str, Any]) -> Iterator[Figure]:
    known = [
        (role, part(teacher, "candidates"))
        for role, teacher in part(content, "teachers").items()
        if part(teacher, "candidates")
    ]
    rows = [
        row
        for role, found in known
        for who in ("judge", "base")
        if (row := _above_chance(f"{model_label(role)}: {who}", part(found, who)))
    ]
    if rows:
        yield figure(
            "Among the candidates, beside chance",
            "How much more often than half the right item stands above another candidate. 0 is guessing.",
            _drawing("Judges beside chance", rows),
            _LEGEND,
        )
    slopes = [
        Row(model_label(role), found, "t-worse" if order.get("shown") else "t-neutral",
            wording.signed(found.mean), _said(found))
        for role, candidates in known
        if (order := part(candidates, "order")) and (found := _slope(order))
    ]  # fmt: skip
    if slopes:
        yield figure(
            "Does the order in which candidates are shown decide?",
            "Places an item rises in the answer for each place that it is shown earlier: 1 repeats the order, 0 does "
            "not see it.",
            _drawing("Position bias", slopes),
        )


def _above_chance(label: str, verdict: Mapping[str, Any]) -> Row | None:
    value, low, high = (number(verdict, "auc", name) for name in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return None
    found = Interval(value - 0.5, low - 0.5, high - 0.5)
    result = str(verdict.get("result"))
    tone = {"better than chance": "better", "too few cases to tell": "neutral"}.get(result, "worse")
    return Row(label, found, f"t-{tone}", wording.percent(value), result)


def _slope(order: Mapping[str, Any]) -> Interval | None:
    value = number(order, "slope")
    return None if value is None else Interval(value, number(order, "low"), number(order, "high"))


def _drawing(spoken: str, rows: list[Row]) -> Callable[[float], str]:
    words = f"{spoken}: " + "; ".join(f"{row.label} {row.written} ({row.detail})" for row in rows)
    return lambda width: row_chart(rows, words, width, _plain)


def _said(found: Interval) -> str:
    return " to ".join(wording.significant(bound) for bound in found.bounds or ())


def _plain(value: float) -> str:
    return f"{value:.6g}".replace("-", wording.MINUS)
