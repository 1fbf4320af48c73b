"""Points by two quantities, named where there is room, and levels to compare them with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from recdistill.evaluation.report.charts.labels import Box, Labels
from recdistill.evaluation.report.charts.scale import Scale, spanning, ticks
from recdistill.evaluation.report.charts.svg import Element, drawing, element, group, line, text

_LEFT, _RIGHT, _BOTTOM, _TOP = 52.0, 10.0, 52.0, 14.0
_RADIUS = 6.0


@dataclass(frozen=True)
class Point:
    """A dot: its name, its place, the class that colours it, and how its values are written.

    `names` are what may stand beside it, the first for which there is room; none for a dot that goes without.
    """

    label: str
    x: float
    y: float
    style: str
    written: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Level:
    """A horizontal line at a value that all points are measured against."""

    label: str
    y: float
    style: str


@dataclass(frozen=True)
class Axis:
    """What an axis shows, and how its values are written."""

    title: str
    tick: Callable[[float], str]


def scatter_chart(
    points: Sequence[Point], levels: Sequence[Level], label: str, width: float,
    across: Axis, up: Axis, height: float = 380.0,
) -> str:  # fmt: skip
    """Points on two axes.

    Args:
        points: the ones that matter most first: they are named first, and drawn on top.
        levels: lines from side to side.
        label: what a screen reader says.
        width: pixels.
        across: the horizontal axis.
        up: the vertical axis; its title stands above it.
        height: pixels.

    Returns:
        SVG.
    """
    x = spanning((one.x for one in points), _LEFT, width - _RIGHT, room=0.08)
    heights = (one.y for one in (*points, *levels))
    y = spanning(heights, height - _BOTTOM, _TOP, room=0.08)
    dots = [(x(one.x), y(one.y)) for one in points]
    labels = Labels(Box(_LEFT, 0.0, width - _RIGHT, height - _BOTTOM), dots, _RADIUS)
    for level in levels:
        labels.keep_off(Box(_LEFT, y(level.y) - 1, width, y(level.y) + 1))
    lines = [_level(level, y, width, labels) for level in levels]
    names = [labels.beside(dot, one.names) for one, dot in zip(points, dots, strict=True)]
    return drawing(width, height, label, [
        *_axes(x, y, width, height, across, up),
        *lines,
        *(_dot(one, dot) for one, dot in reversed(list(zip(points, dots, strict=True)))),
        *(name for name in names if name is not None),
    ])  # fmt: skip


def _axes(
    x: Scale, y: Scale, width: float, height: float, across: Axis, up: Axis
) -> Iterator[Element]:
    for value in ticks(y.low, y.high, 6):
        yield line(_LEFT, y(value), width - _RIGHT, y(value), "grid")
        yield text(up.tick(value), _LEFT - 8, y(value), "tick", "end")
    for value in ticks(x.low, x.high, 6):
        yield text(across.tick(value), x(value), height - _BOTTOM + 14, "tick", "middle")
    yield text(across.title, x.end, height - 10, "tick", "end")


def _level(level: Level, y: Scale, width: float, labels: Labels) -> Element:
    at = y(level.y)
    named = labels.along(level.label, at)
    return group([line(_LEFT, at, width - _RIGHT, at, "level"), named], level.style, level.label)


def _dot(one: Point, dot: tuple[float, float]) -> Element:
    circle = element("circle", cx=dot[0], cy=dot[1], r=_RADIUS, class_="dot")
    return group([circle], one.style, f"{one.label}: {one.written}")
