"""The charts of smaller forms: quality against size and against time, and what each loses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.charts.intervals import Row
from recdistill.evaluation.report.charts.rows import row_chart
from recdistill.evaluation.report.charts.scatter import Axis, Level, Point, scatter_chart
from recdistill.evaluation.report.figure import Figure, Key, figure
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.interval import Interval, interval
from recdistill.evaluation.report.lessening.finding import said
from recdistill.evaluation.report.lessening.marks import MARKS, mark, ordered
from recdistill.evaluation.report.reading import confidence, number

_LEGEND = tuple(Key(one.word, one.style) for one in MARKS.values())


def fronts(content: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Quality by size, and by time."""
    return (
        _front(content, "bytes", "Quality and size", "model and item table", wording.size),
        _front(content, "latency_p50", "Quality and time", "an answer, half are faster", wording.duration),
    )  # fmt: skip


def _front(
    content: Mapping[str, Any], key: str, title: str, across: str, write: Callable[[float], str]
) -> Figure:
    metric = metric_title(str(content["metric"]))
    points = [
        Point(
            name,
            float(one[key]),
            float(one["quality"]["mean"]),
            mark(one).style,
            f"{metric} {wording.significant(one['quality']['mean'])}, {write(one[key])}",
            (name,),
        )
        for name, one in ordered(content)
    ]
    spoken = f"{metric} and {across}: " + "; ".join(f"{one.label} {one.written}" for one in points)
    return figure(
        title,
        "Higher is better, further left is cheaper. Below the dashed line more is lost than may be.",
        lambda width: scatter_chart(
            points, _floor(content), spoken, width, Axis(across, write), Axis(metric, _plain)
        ),
        _LEGEND,
    )


def _floor(content: Mapping[str, Any]) -> list[Level]:
    """The least quality that is allowed."""
    share = number(content, "tolerance", "share") or 0.0
    whole = number(content, "forms", str(content["reference"]), "quality", "mean") or 0.0
    return [Level(f"{wording.percent(-share, signed=True)}", whole * (1 - share), "t-worse")]


def losses(content: Mapping[str, Any]) -> tuple[Figure, ...]:
    """What each form changes of the quality, with its interval."""
    metric = metric_title(str(content["metric"]))
    rows = [
        Row(name, _change(lost), mark(one).style, wording.percent(-lost.mean, signed=True) or "0", said(lost))
        for name, one in ordered(content)
        if name != content["reference"] and (lost := interval(one, "loss"))
    ]  # fmt: skip
    if not rows:
        return ()
    spoken = f"Change of {metric}: " + "; ".join(
        f"{row.label} {row.written} ({row.detail})" for row in rows
    )
    return (
        figure(
            f"{metric} beside the student as it is",
            f"Dot: measured on validation. Bar: {confidence(content)} interval. A bar across 0 shows no difference.",
            lambda width: row_chart(rows, spoken, width, _percent),
        ),
    )


def _change(lost: Interval) -> Interval:
    low, high = lost.bounds or (lost.mean, lost.mean)
    return Interval(-lost.mean, -high, -low)


def _percent(value: float) -> str:
    return wording.percent(value, signed=True) if value else "0"


def _plain(value: float) -> str:
    return f"{value:.6g}".replace("-", wording.MINUS)
