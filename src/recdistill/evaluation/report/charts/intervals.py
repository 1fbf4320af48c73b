"""Dots with intervals, one row a model or a metric: what is known, and how well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recdistill.evaluation.report.charts.rows import AXIS_HEIGHT, Layout, layout, value_axis
from recdistill.evaluation.report.charts.scale import Scale, spanning
from recdistill.evaluation.report.charts.svg import Element, drawing, element, group, text
from recdistill.evaluation.report.interval import Interval


@dataclass(frozen=True)
class Row:
    """One dot: its name, its value, the class that colours it, and how the value is written."""

    label: str
    value: Interval
    style: str
    written: str
    detail: str = ""


def interval_chart(
    rows: Sequence[Row], label: str, width: float, tick: Callable[[float], str]
) -> str:
    """Rows on one axis that shows zero, each with its name, its interval and its value.

    Args:
        rows: from top to bottom.
        label: what a screen reader says.
        width: pixels.
        tick: how an axis value is written.
    """
    values = [bound for row in rows for bound in (row.value.mean, *(row.value.bounds or ()))]
    place = layout(width, (one.label for one in rows))
    scale = spanning(values, place.left, place.right, zero=True)
    return drawing(width, place.height * len(rows) + AXIS_HEIGHT, label, [
        *value_axis(place, scale, len(rows), tick),
        *(_row(row, place.height * index, scale, place) for index, row in enumerate(rows)),
    ])  # fmt: skip


def _row(row: Row, top: float, scale: Scale, place: Layout) -> Element:
    y = top + place.marks
    marks = [
        place.name(row.label, top),
        text(row.written, place.width, top + place.caption, "value", "end"),
    ]
    if row.value.bounds:
        low, high = map(scale, row.value.bounds)
        bar = {"x": low, "y": y - 4, "width": max(high - low, 1.0), "height": 8, "rx": 4}
        marks.append(element("rect", class_="range", **bar))
    marks.append(element("circle", cx=scale(row.value.mean), cy=y, r=6, class_="dot"))
    return group(marks, row.style, f"{row.label}: {row.written} {row.detail}".strip())
