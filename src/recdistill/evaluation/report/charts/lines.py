"""Lines over epochs: families of a style, one thin line a seed, the best point marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from recdistill.evaluation.report.charts.scale import Scale, spanning, ticks
from recdistill.evaluation.report.charts.svg import Element, drawing, element, group, line, text
from recdistill.evaluation.report.wording import Real

_LEFT, _BOTTOM, _TOP = 46.0, 34.0, 10.0


@dataclass(frozen=True)
class Line:
    """A series: its name for the hover text, the class that colours it, its points by x."""

    label: str
    points: Sequence[tuple[Real, Real]]
    style: str
    mark_best: bool = False


def line_chart(
    lines: Sequence[Line], label: str, width: Real, tick: Callable[[float], str],
    zero: bool = False, height: float = 260.0,
) -> str:  # fmt: skip
    """Lines on shared axes: x is the epoch, y is written by `tick`."""
    points = [point for one in lines for point in one.points]
    x = spanning((point[0] for point in points), _LEFT, width - 10, room=0.0)
    if x.low == x.high:
        x = spanning((point[0] for point in points), _LEFT, width - 10)
    y = spanning((point[1] for point in points), height - _BOTTOM, _TOP, zero=zero)
    return drawing(width, height, label, [
        *_horizontal(y, width, tick),
        *_vertical(x, height),
        *(_series(one, x, y) for one in lines if one.points),
    ])  # fmt: skip


def _horizontal(y: Scale, width: Real, tick: Callable[[float], str]) -> Iterator[Element]:
    for value in ticks(y.low, y.high, 5):
        yield line(_LEFT, y(value), width - 10, y(value), "grid")
        yield text(tick(value), _LEFT - 8, y(value), "tick", "end")


def _vertical(x: Scale, height: float) -> Iterator[Element]:
    for value in ticks(x.low, x.high, 6):
        if value == round(value):
            yield text(f"{value:.0f}", x(value), height - _BOTTOM + 14, "tick", "middle")
    yield text("epoch", x.end, height - 6, "tick", "end")


def _series(one: Line, x: Scale, y: Scale) -> Element:
    pixels = [(x(epoch), y(value)) for epoch, value in one.points]
    path = " ".join(f"{px:.2f},{py:.2f}" for px, py in pixels)
    marks = [element("polyline", points=path, class_="line")]
    if len(pixels) == 1:
        marks.append(element("circle", cx=pixels[0][0], cy=pixels[0][1], r=3.5, class_="dot"))
    elif one.mark_best:
        best = max(range(len(pixels)), key=lambda index: one.points[index][1])
        marks.append(element("circle", cx=pixels[best][0], cy=pixels[best][1], r=4, class_="dot"))
    return group(marks, one.style, one.label)
