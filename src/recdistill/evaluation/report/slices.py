"""Where the quality comes from: by popularity of the item to be found, by length of the history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.charts.dots import Dot, Group
from recdistill.evaluation.report.charts.rows import row_chart
from recdistill.evaluation.report.figure import Figure, figure, model_keys
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.interval import interval
from recdistill.evaluation.report.reading import (
    TWIN,
    model_label,
    model_style,
    number,
    ordered_models,
    part,
)

_TITLES = {
    "popularity": ("By popularity of the item to be found", "Head: the most taken items, with a "
                   "third of all events; then middle and tail. Cold: never seen in training."),
    "history": ("By length of the history", "How many events the model saw of the person."),
    "confidence": ("By how sure the teacher is", "Quarters of the cases, by the probability that the "
                   "teacher gives its best item."),
}  # fmt: skip


def slices(metrics: Mapping[str, Any], metric: str) -> tuple[Figure, ...]:
    """A figure for each way of cutting the test that the metrics hold."""
    return tuple(_figures(part(metrics, "slices"), metric))


def _figures(tree: Mapping[str, Any], metric: str) -> Iterator[Figure]:
    for name in tree:
        groups = [_group(label, part(tree, name, label), metric) for label in part(tree, name)]
        shown = [group for group in groups if group.dots]
        if not shown:
            continue
        title, note = _TITLES.get(name, (f"By {name.replace('_', ' ')}", ""))
        models = {
            model for label in part(tree, name) for model in part(tree, name, label, "models")
        }
        yield figure(
            title,
            f"{metric_title(metric)} in each group. {note}".strip(),
            _drawing(title, shown),
            model_keys(ordered_models(dict.fromkeys(models))),
        )


def _drawing(title: str, groups: list[Group]) -> Callable[[float], str]:
    spoken = f"{title}. " + " ".join(
        f"{group.label}: "
        + ", ".join(f"{dot.label} {dot.written}" for dot in group.dots)
        + f" {group.detail}."
        for group in groups
    )
    return lambda width: row_chart(groups, spoken, width, _axis)


def _axis(value: float) -> str:
    return f"{value:.6g}"


def _group(label: str, tree: Mapping[str, Any], metric: str) -> Group:
    cases = number(tree, "cases")
    models = part(tree, "models")
    values = {model: number(models, model, metric) for model in ordered_models(models)}
    dots = [
        Dot(model_label(model), value, model_style(model), wording.significant(value))
        for model, value in values.items()
        if value is not None
    ]
    share = wording.plural(cases, "case") if cases is not None else ""
    return Group(group_label(label), share, dots, _gain(tree, models, metric))


def group_label(label: str) -> str:
    """How a person calls a group of `slices`."""
    if not label[:1].isdigit():
        return label.replace("_", " ").capitalize()
    words = label.replace("-", "–")
    return f"{words} event" if label == "1" else f"{words} events"


def _gain(tree: Mapping[str, Any], models: Mapping[str, Any], metric: str) -> str:
    """The uplift in this group, where it was measured."""
    gain, base = interval(tree, "uplift", metric), number(models, TWIN, metric)
    if gain is None or not base:
        return ""
    share = gain.over(base)
    bounds = f" (interval {share.said(signed=True)})" if share.bounds else ""
    return f"uplift {wording.percent(share.mean, signed=True)}{bounds}"
