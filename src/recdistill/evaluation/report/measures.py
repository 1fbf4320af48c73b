"""Tables of a few measures, one row a model: what it costs, how far it agrees with the teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.reading import model_label, model_style, number, ordered_models


@dataclass(frozen=True)
class Measure:
    """A column: its key in the metrics, its name, its meaning, how its values are written."""

    key: str
    label: str
    meaning: str
    write: Callable[[float], str]


@dataclass(frozen=True)
class Line:
    """A model's row, in the order of the measures."""

    label: str
    style: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """The measures that any model has, and the models that have any."""

    measures: tuple[Measure, ...]
    lines: tuple[Line, ...]


def table(tree: Mapping[str, Any], measures: Sequence[Measure]) -> Table:
    """The table of `{model: {key: number}}`."""
    known = [
        (model, measure)
        for model in ordered_models(tree)
        for measure in measures
        if number(tree, model, measure.key) is not None
    ]
    models = dict.fromkeys(model for model, _ in known)
    shown = tuple(measure for measure in measures if measure in {one for _, one in known})
    return Table(shown, tuple(_line(tree, model, shown) for model in models))


def _line(tree: Mapping[str, Any], model: str, measures: tuple[Measure, ...]) -> Line:
    values = (_written(number(tree, model, measure.key), measure) for measure in measures)
    return Line(model_label(model), model_style(model), tuple(values))


def _written(value: float | None, measure: Measure) -> str:
    return wording.NONE if value is None else measure.write(value)
