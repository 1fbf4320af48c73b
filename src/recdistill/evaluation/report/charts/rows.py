"""A chart made of rows: where names and marks go at a width, and the value axis below.

What a row shows is the row's own business: dots (`dots.py`), a dot with its interval (`intervals.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from recdistill.evaluation.report.charts.scale import Scale, spanning, ticks
from recdistill.evaluation.report.charts.svg import Element, drawing, line, text

_AXIS_HEIGHT = 28.0
_NARROW = 420.0
_LETTER = 6.8
"""Pixels of an average letter at the charts' size; fonts differ, so names get room to spare."""
_VALUES = 88.0
_NAMES = (60.0, 196.0)


@dataclass(frozen=True)
class Layout:
    """Places within a chart of rows, in pixels.

    Attributes:
        width: of the chart.
        height: of a row.
        left: where the marks begin.
        right: where the marks end.
        caption: below a row's top, where its name stands.
        marks: below a row's top, where its marks stand.
        reach: how far grid lines go above and below the marks.
    """

    width: float
    height: float
    left: float
    right: float
    caption: float
    marks: float
    reach: float

    def name(self, label: str, y: float) -> Element:
        """The name of a row, cut where the marks or the values would begin."""
        beside = self.caption == self.marks
        room = self.left - 12.0 if beside else self.width - _VALUES
        letters = int(room / _LETTER)
        shown = label if len(label) <= letters else f"{label[: letters - 1].rstrip()}…"
        return text(shown, 0, y + self.caption, "name")


def layout(width: float, names: Iterable[str]) -> Layout:
    """Names beside the marks where there is room, above them where there is not."""
    if width < _NARROW:
        return Layout(width, 46.0, 8.0, width - 8.0, 12.0, 32.0, 9.0)
    longest = 20.0 + _LETTER * max(map(len, names), default=0)
    left = min(max(longest, _NAMES[0]), _NAMES[1])
    return Layout(width, 34.0, left, width - _VALUES, 17.0, 17.0, 17.0)


@dataclass(frozen=True)
class Place:
    """Where one row is drawn: its top within the chart, and the scale that all rows share."""

    layout: Layout
    scale: Scale
    top: float

    @property
    def middle(self) -> float:
        """The height of the row's marks."""
        return self.top + self.layout.marks

    def words(self, name: str, aside: str, style: str) -> list[Element]:
        """The row's name at its left end, and a few words `aside` at its right end."""
        end, y = self.layout.width, self.top + self.layout.caption
        return [self.layout.name(name, self.top), text(aside, end, y, style, "end")]


class ChartRow(Protocol):
    """What a chart needs of a row."""

    @property
    def label(self) -> str:
        """Its name."""
        ...

    def values(self) -> Iterable[float]:
        """Every value that must have a place on the axis."""
        ...

    def drawn(self, place: Place) -> Element:
        """Its words and marks at `place`."""
        ...


def row_chart(
    rows: Sequence[ChartRow], label: str, width: float, tick: Callable[[float], str]
) -> str:
    """Rows on one axis that shows zero.

    Args:
        rows: from top to bottom.
        label: what a screen reader says.
        width: pixels.
        tick: how an axis value is written.

    Returns:
        SVG.
    """
    place = layout(width, (row.label for row in rows))
    values = (value for row in rows for value in row.values())
    scale = spanning(values, place.left, place.right, zero=True)
    return drawing(width, place.height * len(rows) + _AXIS_HEIGHT, label, [
        *_value_axis(place, scale, len(rows), tick),
        *(row.drawn(Place(place, scale, place.height * at)) for at, row in enumerate(rows)),
    ])  # fmt: skip


def _value_axis(
    place: Layout, scale: Scale, rows: int, tick: Callable[[float], str]
) -> Iterator[Element]:
    """Grid lines behind the marks of `rows` rows, their values below; zero is drawn stronger."""
    for value in ticks(scale.low, scale.high, 5):
        x = scale(value)
        for row in range(rows):
            y = place.height * row + place.marks
            style = "zero" if value == 0 else "grid"
            yield line(x, y - place.reach, x, y + place.reach, style)
        yield text(tick(value), x, place.height * rows + 14, "tick", "middle")
