"""The tables of smaller forms: everything measured of each, and what the test says of the chosen one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import metric_meaning, metric_title
from recdistill.evaluation.report.interval import interval
from recdistill.evaluation.report.lessening.finding import said
from recdistill.evaluation.report.lessening.marks import mark, ordered
from recdistill.evaluation.report.measures import Line, Measure, Table
from recdistill.evaluation.report.reading import number, part


def _measures(metric: str) -> tuple[Measure, ...]:
    return (
        Measure("quality", metric_title(metric), metric_meaning(metric), wording.significant),
        Measure("loss", "Change", "Of the quality, beside the student as it is, on validation.", str),
        Measure("interval", "Interval", "Where that change lies, by a paired bootstrap over users.", str),
        Measure("mark", "Worth having", "On the front nothing beats it in quality, size or time without being behind "
                "in another.", str),
        Measure("bytes", "Size", "Bytes of the model and the item table.", wording.size),
        Measure("bundle_bytes", "Bundle", "Bytes of all that leaves, the catalogue’s texts too.", wording.size),
        Measure("parameters", "Parameters", "Numbers in the model and the item table.",
                lambda value: wording.scaled(value)),
        Measure("latency_p50", "Time p50", "From one history to its ten best items, on one thread; half are faster.",
                wording.duration),
        Measure("latency_p99", "Time p99", "99 of 100 are faster.", wording.duration),
    )  # fmt: skip


def everything(content: Mapping[str, Any]) -> Table:
    """A row a form."""
    measures = _measures(str(content["metric"]))
    lines = (
        Line(name, mark(one).style, tuple(_cells(one, measures))) for name, one in ordered(content)
    )
    return Table(measures, tuple(lines))


def _cells(form: Mapping[str, Any], measures: tuple[Measure, ...]) -> Iterator[str]:
    lost = interval(form, "loss")
    written = {
        "mark": mark(form).word,
        "quality": wording.significant(number(form, "quality", "mean") or 0.0),
        "loss": wording.percent(-lost.mean, signed=True) if lost else wording.NONE,
        "interval": said(lost) if lost else wording.NONE,
    }
    for measure in measures:
        value = number(form, measure.key)
        yield written.get(measure.key) or (wording.NONE if value is None else measure.write(value))


def test(content: Mapping[str, Any]) -> Table:
    """Every metric of the student and of what was chosen; empty where the test stayed closed."""
    models = part(content, "test", "models")
    names = list(dict.fromkeys(name for one in models.values() for name in one))
    measures = tuple(Measure(name, metric_title(name), metric_meaning(name), str) for name in names)
    lines = (
        Line(role, mark(part(content, "forms", role)).style, tuple(
            wording.significant(values[name]) for name in names))
        for role, values in models.items()
    )  # fmt: skip
    return Table(measures, tuple(lines))


def test_said(content: Mapping[str, Any]) -> str:
    """What the chosen form loses there, in a sentence."""
    metric = metric_title(str(content["metric"]))
    found = (
        (role, interval(content, "test", "losses", role))
        for role in part(content, "test", "losses")
    )
    return " ".join(
        f"On the test, {role} changes {metric} by {wording.percent(-lost.mean, signed=True)} ({said(lost)})."
        for role, lost in found
        if lost
    )
