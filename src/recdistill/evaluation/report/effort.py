"""What the whole run took: hours of each stage, and the price of the teacher's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.facts import Fact
from recdistill.evaluation.report.reading import number, part


def effort(metrics: Mapping[str, Any]) -> tuple[Fact, ...]:
    """What is known of it, stage by stage."""
    return (*_stages(metrics), *_labelling(metrics))


def _stages(metrics: Mapping[str, Any]) -> Iterator[Fact]:
    """One line a stage; what was done once a seed (`student/seed-0` …) is added up."""
    parts: dict[str, list[float]] = {}
    for name in part(metrics, "timing"):
        seconds = number(metrics, "timing", name)
        if seconds is not None:
            stage = name.removesuffix("_seconds").split("/")[0].replace("_", " ").replace("-", " ")
            parts.setdefault(stage.capitalize(), []).append(seconds)
    for stage, times in parts.items():
        label = stage if len(times) == 1 else f"{stage}, {wording.plural(len(times), 'seed')}"
        yield Fact(label, wording.duration(sum(times)))


def _labelling(metrics: Mapping[str, Any]) -> Iterator[Fact]:
    tree = part(metrics, "labelling")
    seconds, contexts = number(tree, "seconds"), number(tree, "contexts")
    if seconds is not None:
        yield Fact("Teacher speaking", wording.duration(seconds))
    if contexts is not None:
        yield Fact("Contexts it spoke about", wording.count(contexts))
    if seconds and contexts:
        yield Fact("Contexts a second", wording.significant(contexts / seconds, 2))
    if (stored := number(tree, "bytes")) is not None:
        yield Fact("Signals on disk", wording.size(stored))
    if (cost := number(tree, "cost")) is not None:
        yield Fact("Cost of labelling", wording.significant(cost, 2))
    yield from _paid(tree)


def _paid(tree: Mapping[str, Any]) -> Iterator[Fact]:
    """Of who is paid by the question."""
    if silent := number(tree, "silent"):
        yield Fact("Contexts it was silent about", wording.count(silent))
    for name, label in (("calls", "Answers paid for"), ("tokens", "Tokens paid for")):
        if (spent := number(tree, name)) is not None:
            yield Fact(label, wording.count(spent))
    if (money := number(tree, "money")) is not None:
        yield Fact("Price of its answers", wording.significant(money, 3))
