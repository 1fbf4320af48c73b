"""Several models' values side by side in each group of users or items (a Cleveland dot plot)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recdistill.evaluation.report.charts.rows import AXIS_HEIGHT, Layout, layout, value_axis
from recdistill.evaluation.report.charts.scale import Scale, spanning
from recdistill.evaluation.report.charts.svg import Element, drawing, element, group, line, text


@dataclass(frozen=True)
class Dot:
    """A model's value in a group."""

    label: str
    value: float
    style: str
    written: str


@dataclass(frozen=True)
class Group:
    """A row: its name, how much of the test it is, its dots."""

    label: str
    share: str
    dots: Sequence[Dot]
    detail: str = ""


def dot_chart(
    groups: Sequence[Group], label: str, width: float, tick: Callable[[float], str]
) -> str:
    """One row a group, one dot a model, on one axis from zero."""
    values = [dot.value for one in groups for dot in one.dots]
    place = layout(width, (one.label for one in groups))
    scale = spanning(values, place.left, place.right, zero=True)
    return drawing(width, place.height * len(groups) + AXIS_HEIGHT, label, [
        *value_axis(place, scale, len(groups), tick),
        *(_row(one, place.height * index, scale, place) for index, one in enumerate(groups)),
    ])  # fmt: skip


def _row(one: Group, top: float, scale: Scale, place: Layout) -> Element:
    y = top + place.marks
    marks = [
        place.name(one.label, top),
        text(one.share, place.width, top + place.caption, "note", "end"),
    ]
    places = [scale(dot.value) for dot in one.dots]
    if places:
        marks.append(line(min(places), y, max(places), y, "link"))
    # The first dots (teacher, student) are the ones that matter: they are drawn last, on top.
    marks.extend(_dot(dot, scale(dot.value), y, one.label) for dot in reversed(one.dots))
    return group(marks, "group", " ".join(filter(None, (one.label, one.detail))))


def _dot(dot: Dot, x: float, y: float, where: str) -> Element:
    hover = f"{where}, {dot.label}: {dot.written}"
    return group([element("circle", cx=x, cy=y, r=6, class_="dot")], dot.style, hover)
