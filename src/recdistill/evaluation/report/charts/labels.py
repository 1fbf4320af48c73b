"""Where names go in a crowd: beside their dots, on nothing, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recdistill.evaluation.report.charts.svg import Element, text
from recdistill.evaluation.report.wording import Real

_LETTER, _LINE = 6.6, 15.0
"""Pixels of an average letter and of a line at the size of labels; fonts differ, so this is generous."""
LONGEST = 24
"""Letters of a name that still says more than it hides."""


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels."""

    left: Real
    top: Real
    right: Real
    bottom: Real

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

    def __init__(self, area: Box, dots: Sequence[tuple[Real, Real]], radius: Real) -> None:
        """No name leaves `area` or covers a dot of `radius`."""
        self._area, self._gap = area, radius + 4.0
        self._taken = [Box(x - radius, y - radius, x + radius, y + radius) for x, y in dots]

    def keep_off(self, box: Box) -> None:
        """Let nothing be written over `box`."""
        self._taken.append(box)

    def along(self, words: str, y: Real) -> Element:
        """Words about a line at the height `y`: at its right end if possible, above or below it."""
        area, width = self._area, _width(words)
        places = [
            Box(left, top, left + width, top + _LINE)
            for left in (area.right - width, area.left + 4)
            for top in (y - _LINE - 2, y + 2)
        ]
        return self._written(words, next(filter(self._free, places), places[0]))

    def beside(self, dot: tuple[Real, Real], names: Sequence[str]) -> Element | None:
        """The first of `names` that is not too long and for which a place at `dot` is free, if any."""
        for name in names:
            for box in self._places(*dot, _width(name)) if len(name) <= LONGEST else ():
                if self._area.holds(box) and self._free(box):
                    return self._written(name, box)
        return None

    def _written(self, words: str, box: Box) -> Element:
        self._taken.append(box)
        return text(
            words, (box.left + box.right) / 2, (box.top + box.bottom) / 2, "label", "middle"
        )

    def _free(self, box: Box) -> bool:
        return not any(box.meets(other) for other in self._taken)

    def _places(self, x: Real, y: Real, width: float) -> Iterator[Box]:
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
