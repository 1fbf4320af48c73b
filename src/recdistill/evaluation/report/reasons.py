"""Why, in the teacher's words: a few contexts, what was recommended, and what the teacher wrote beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recdistill.data.reasons import plain
from recdistill.evaluation.report.examples import (
    LONGEST_TITLE,
    SHOWN_HISTORY,
    SHOWN_LIST,
    more,
)
from recdistill.evaluation.report.reading import STUDENT, TEACHER, model_label, model_style
from recdistill.evaluation.report.story import Explained

SHOWN_CONTEXTS = 4
SHOWN_REASONS = 2


@dataclass(frozen=True)
class ListedView:
    """One model's list."""

    label: str
    style: str
    titles: tuple[str, ...]


@dataclass(frozen=True)
class ReasonView:
    """One context, cut to what fits.

    Attributes:
        history: titles, oldest first.
        earlier: how many are not shown, in words.
        lists: the teacher's and the student's.
        why: pairs of title and reason.
    """

    history: tuple[str, ...]
    earlier: str
    lists: tuple[ListedView, ...]
    why: tuple[tuple[str, str], ...]


def told(contexts: Sequence[Explained]) -> tuple[ReasonView, ...]:
    """The first few contexts. What a language model wrote, and what strangers called their items, is cleaned here
    too, whoever brought it; the page escapes it."""
    return tuple(map(_view, contexts[:SHOWN_CONTEXTS]))


def _view(context: Explained) -> ReasonView:
    lists = ((TEACHER, context.teacher), (STUDENT, context.student))
    return ReasonView(
        _titles(context.history[-SHOWN_HISTORY:]),
        more(len(context.history) - SHOWN_HISTORY, "earlier"),
        tuple(
            ListedView(model_label(role), model_style(role), _titles(titles[:SHOWN_LIST]))
            for role, titles in lists
        ),
        tuple((_title(title), plain(text)) for title, text in context.why[:SHOWN_REASONS]),
    )


def _titles(titles: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(_title, titles))


def _title(title: str) -> str:
    return plain(title, LONGEST_TITLE)
