"""Several models' values side by side in each group of users or items (a Cleveland dot plot)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recdistill.evaluation.report.charts.rows import Place
from recdistill.evaluation.report.charts.svg import Element, element, group, line


@dataclass(frozen=True)
class Dot:
    """A model's value in a group."""

    label: str
    value: float
    style: str
    written: str


@dataclass(frozen=True)
class Group:
    """A row: its name, how much of the test it is, one dot a model."""

    label: str
    share: str
    dots: Sequence[Dot]
    detail: str = ""

    def values(self) -> Iterator[float]:
        """Those of the dots."""
        return (dot.value for dot in self.dots)

    def drawn(self, place: Place) -> Element:
        """Its dots, linked by a line."""
        y, marks = place.middle, place.words(self.label, self.share, "note")
        places = [place.scale(value) for value in self.values()]
        if places:
            marks.append(line(min(places), y, max(places), y, "link"))
        # The first dots (teacher, student) are the ones that matter: they are drawn last, on top.
        marks.extend(self._dot(dot, place) for dot in reversed(self.dots))
        return group(marks, "group", " ".join(filter(None, (self.label, self.detail))))

    def _dot(self, dot: Dot, place: Place) -> Element:
        circle = element("circle", cx=place.scale(dot.value), cy=place.middle, r=6, class_="dot")
        return group([circle], dot.style, f"{self.label}, {dot.label}: {dot.written}")
