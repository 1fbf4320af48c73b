"""A chart with its title, note and legend, drawn for a wide and for a narrow page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from recdistill.evaluation.report.reading import model_label, model_style

WIDE, NARROW = 540.0, 344.0


@dataclass(frozen=True)
class Key:
    """A line of the legend."""

    label: str
    style: str


@dataclass(frozen=True)
class Figure:
    """Two drawings of one chart, since text in an SVG must not shrink with the page."""

    title: str
    note: str
    wide: str
    narrow: str
    legend: tuple[Key, ...] = ()


def figure(
    title: str, note: str, draw: Callable[[float], str], legend: Iterable[Key] = ()
) -> Figure:
    """Draw at both widths."""
    return Figure(title, note, draw(WIDE), draw(NARROW), tuple(legend))


def model_keys(models: Iterable[str]) -> list[Key]:
    """The legend of models."""
    return [Key(model_label(model), model_style(model)) for model in models]
