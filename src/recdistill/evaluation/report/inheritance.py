"""What the student took over from the teacher, and how much of it it would have had anyway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.measures import Measure, Table, table
from recdistill.evaluation.report.reading import part


def _coefficient(value: float) -> str:
    return wording.significant(value, 2)


_KNOWN: Mapping[str, tuple[str, str, Callable[[float], str]]] = {
    "overlap": (
        "Common items",
        "The share of the teacher’s list that the model’s list holds too.",
        wording.percent,
    ),
    "rank_correlation": (
        "Same order",
        "Kendall’s tau of the two lists: 1 for the same list, −1 for nothing shared.",
        _coefficient,
    ),
    "item_cka": (
        "CKA, items",
        "How alike the geometry of the item vectors is to the teacher’s (linear CKA): 1 for the same up to turns and "
        "scale, near 0 for nothing in common.",
        _coefficient,
    ),
    "state_cka": (
        "CKA, states",
        "The same of what the models hold after a history.",
        _coefficient,
    ),
    "calibration_error": (
        "Calibration error",
        "How far the model’s sureness of its best item lies from how often it is right, on average (ECE, 15 bins). "
        "Lower is better.",
        wording.percent,
    ),
    "log_likelihood": (
        "Log-likelihood",
        "Of the right answer among all items, in nats. Higher is better.",
        lambda value: wording.significant(value),
    ),
    "gap": (
        "Ahead on training",
        "How much higher the metric is on training events than on what was held out: what was learned by heart, and "
        "what changed since.",
        lambda value: wording.signed(value, 3),
    ),
}


def inheritance(agreement: Mapping[str, Any], further: Mapping[str, Any], metric: str) -> Table:
    """One table of `{model: {measure: value}}`; measures that are not known here stand under their own names.

    Args:
        agreement: overlap and rank correlation with the teacher.
        further: likeness, calibration and generalisation; only the known measures of it are shown.
        metric: of the generalisation gap.
    """
    shown = {
        model: {**part(agreement, model), **_known(part(further, model))}
        for model in (*agreement, *further)
    }
    names = dict.fromkeys([name for model in agreement for name in part(agreement, model)])
    names |= dict.fromkeys(name for name in _KNOWN if any(name in one for one in shown.values()))
    return table(shown, [_measure(name, metric) for name in names])


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in _KNOWN if name in values}


def _measure(name: str, metric: str) -> Measure:
    family, _, k = name.partition("@")
    plain = (family.replace("_", " ").capitalize(), "", _coefficient)
    label, meaning, write = _KNOWN.get(family, plain)
    if family == "gap":
        label = f"{label}, {metric_title(metric)}"
    return Measure(name, f"{label}, top {k}" if k else label, meaning, write)
