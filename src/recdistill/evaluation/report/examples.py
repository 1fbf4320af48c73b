"""People to look at: what they took, what came next, and what each model said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.reading import (
    STUDENT,
    TEACHER,
    TWIN,
    model_label,
    model_style,
    ordered_models,
)
from recdistill.evaluation.report.story import Example, Listed

SHOWN_HISTORY = 8
SHOWN_TARGETS = 5
SHOWN_LIST = 5
SHOWN_EXAMPLES = 6
LONGEST_TITLE = 90


@dataclass(frozen=True)
class ListView:
    """One model's list."""

    label: str
    style: str
    items: tuple[Listed, ...]
    hits: str


@dataclass(frozen=True)
class ExampleView:
    """One person, cut to what fits."""

    user: str
    history: tuple[str, ...]
    earlier: str
    targets: tuple[str, ...]
    further: str
    lists: tuple[ListView, ...]


def examples(people: Sequence[Example]) -> tuple[ExampleView, ...]:
    """The first few people."""
    return tuple(_view(person) for person in people[:SHOWN_EXAMPLES])


def _view(person: Example) -> ExampleView:
    return ExampleView(
        person.user,
        _titles(person.history[-SHOWN_HISTORY:]),
        more(len(person.history) - SHOWN_HISTORY, "earlier"),
        _titles(person.targets[:SHOWN_TARGETS]),
        more(len(person.targets) - SHOWN_TARGETS, "more"),
        tuple(_list(model, person.lists[model]) for model in _shown(person)),
    )


def _shown(person: Example) -> list[str]:
    """Teacher, student and twin; whatever there is when they are not."""
    models = ordered_models(person.lists)
    return [model for model in models if model in (TEACHER, STUDENT, TWIN)] or models


def _titles(titles: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        title if len(title) <= LONGEST_TITLE else f"{title[:LONGEST_TITLE].rstrip()}…"
        for title in titles
    )


def more(number: int, word: str) -> str:
    """How many are not shown, in words; nothing where all are."""
    return f"{wording.count(number)} {word}" if number > 0 else ""


def _list(model: str, items: tuple[Listed, ...]) -> ListView:
    shown = items[:SHOWN_LIST]
    hits = sum(item.hit for item in shown)
    return ListView(model_label(model), model_style(model), shown, wording.plural(hits, "hit"))
