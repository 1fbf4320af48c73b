"""How much the student says what the teacher says, and how much of it it would have said anyway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.measures import Measure, Table, table
from recdistill.evaluation.report.reading import part

_MEANINGS = {
    "overlap": ("Common items", "The share of the teacher’s list that the model’s list holds too."),
    "rank_correlation": (
        "Same order",
        "Kendall’s tau of the two lists: 1 for the same list, −1 for nothing shared.",
    ),
}


def agreement(tree: Mapping[str, Any]) -> Table:
    """The table of `{model: {measure: value}}`."""
    names = dict.fromkeys(name for model in tree for name in part(tree, model))
    return table(tree, [_measure(name) for name in names])


def _measure(name: str) -> Measure:
    family, _, k = name.partition("@")
    label, meaning = _MEANINGS.get(family, (family.replace("_", " ").capitalize(), ""))
    write = wording.percent if family == "overlap" else _coefficient
    return Measure(name, f"{label}, top {k}" if k else label, meaning, write)


def _coefficient(value: float) -> str:
    return wording.significant(value, 2)
