"""Dots with intervals, one row a model or a metric: what is known, and how well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recdistill.evaluation.report.charts.rows import Place
from recdistill.evaluation.report.charts.svg import Element, element, group
from recdistill.evaluation.report.interval import Interval


@dataclass(frozen=True)
class Row:
    """One dot: its name, its value, the class that colours it, and how the value is written."""

    label: str
    value: Interval
    style: str
    written: str
    detail: str = ""

    def values(self) -> Iterator[float]:
        """The mean and its bounds."""
        yield self.value.mean
        yield from self.value.bounds or ()

    def drawn(self, place: Place) -> Element:
        """Its dot, on a bar as long as the interval."""
        y, marks = place.middle, place.words(self.label, self.written, "value")
        if self.value.bounds:
            low, high = map(place.scale, self.value.bounds)
            bar = {"x": low, "y": y - 4, "width": max(high - low, 1.0), "height": 8, "rx": 4}
            marks.append(element("rect", class_="range", **bar))
        marks.append(element("circle", cx=place.scale(self.value.mean), cy=y, r=6, class_="dot"))
        return group(marks, self.style, f"{self.label}: {self.written} {self.detail}".strip())
