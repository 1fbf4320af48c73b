"""Where names go in a crowd: beside their dots, on nothing, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recdistill.evaluation.report.charts.svg import Element, text

_LETTER, _LINE = 6.6, 15.0
"""Pixels of an average letter and of a line at the size of labels; fonts differ, so this is generous."""
LONGEST = 24


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)

    def holds(self, other: Box) -> bool:
        """Whether `other` is within."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom


class Labels:
    """The names of a chart, put down one after another, the first having first choice."""

    def __init__(self, area: Box, dots: Sequence[tuple[float, float]], radius: float) -> None:
        """No name leaves `area` or covers a dot of `radius`."""
        self._area, self._gap = area, radius + 4.0
        self._taken = [Box(x - radius, y - radius, x + radius, y + radius) for x, y in dots]

    def at_end(self, words: str, x: float, y: float) -> Element:
        """Words that end at `x`, above the height `y`, or below it where there is no room above."""
        above, below = (
            Box(x - _width(words), top, x, top + _LINE) for top in (y - _LINE - 1, y + 1)
        )
        box = above if self._free(above) or not self._free(below) else below
        self._taken.append(box)
        return text(words, x, (box.top + box.bottom) / 2, "label", "end")

    def beside(self, dot: tuple[float, float], names: Sequence[str]) -> Element | None:
        """The first of `names` for which a place at `dot` is free; `None` if there is none."""
        for name in filter(None, names):
            shown = name if len(name) <= LONGEST else f"{name[: LONGEST - 1].rstrip()}…"
            for box in self._places(*dot, _width(shown)):
                if self._area.holds(box) and self._free(box):
                    self._taken.append(box)
                    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
                    return text(shown, x, y, "label", "middle")
        return None

    def _free(self, box: Box) -> bool:
        return not any(box.meets(other) for other in self._taken)

    def _places(self, x: float, y: float, width: float) -> Iterator[Box]:
        """Right and left of a dot, above and below it, then at its corners."""
        gap, half = self._gap, _LINE / 2
        right, left, middle = x + gap, x - gap - width, x - width / 2
        beside, above, below = y - half, y - gap - _LINE + 2, y + gap - 2
        corner = 3.0
        for start, top in (
            (right, beside), (left, beside), (middle, above), (middle, below),
            (x + corner, above), (x - corner - width, above),
            (x + corner, below), (x - corner - width, below),
        ):  # fmt: skip
            yield Box(start, top, start + width, top + _LINE)


def _width(words: str) -> float:
    return _LETTER * len(words)
