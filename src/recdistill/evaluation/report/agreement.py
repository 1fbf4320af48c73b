"""How much the student says what the teacher says, and how much of it it would have said anyway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.reading import model_label, model_style, number, ordered_models

_MEANINGS = {
    "overlap": ("Common items", "The share of the teacher’s list that the model’s list holds too."),
    "rank_correlation": (
        "Same order",
        "Kendall’s tau of the two lists: 1 for the same list, −1 for nothing shared.",
    ),
}


@dataclass(frozen=True)
class Measure:
    """A measure of agreement at the head of the table."""

    label: str
    meaning: str


@dataclass(frozen=True)
class AgreementLine:
    """A model's agreement with the teacher, in the order of the measures."""

    label: str
    style: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Agreement:
    """The table."""

    measures: tuple[Measure, ...]
    lines: tuple[AgreementLine, ...]


def agreement(tree: Mapping[str, Any]) -> Agreement:
    """The table of `{model: {measure: value}}`."""
    models = [model for model in ordered_models(tree) if isinstance(tree[model], Mapping)]
    names = list(dict.fromkeys(name for model in models for name in tree[model]))
    return Agreement(
        tuple(_measure(name) for name in names),
        tuple(_line(tree, model, names) for model in models) if names else (),
    )


def _measure(name: str) -> Measure:
    family, _, k = name.partition("@")
    label, meaning = _MEANINGS.get(family, (family.replace("_", " ").capitalize(), ""))
    return Measure(f"{label}, top {k}" if k else label, meaning)


def _line(tree: Mapping[str, Any], model: str, names: list[str]) -> AgreementLine:
    values = (_written(name, number(tree, model, name)) for name in names)
    return AgreementLine(model_label(model), model_style(model), tuple(values))


def _written(name: str, value: float | None) -> str:
    if value is None:
        return wording.NONE
    return wording.percent(value) if name.startswith("overlap") else wording.significant(value, 2)
