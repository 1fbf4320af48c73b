"""How an explanation was measured, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.protocol import Step
from recdistill.evaluation.report.reading import confidence, number


def method(content: Mapping[str, Any]) -> tuple[Step, ...]:
    """The aspects that a reader must know."""
    return tuple(_steps(content))


def _steps(content: Mapping[str, Any]) -> Iterator[Step]:
    cases, users = (number(content, "dataset", f"valid_{name}") or 0 for name in ("cases", "users"))
    yield Step(
        "Cases",
        f"{wording.plural(cases, 'validation case')} of {wording.plural(users, 'user')}. The test stays closed, so "
        "that a recipe changed after this page can still be judged there once. Early stopping looked at these cases "
        "too: levels are a little flattered, of student and twin alike.",
    )
    yield Step(
        "Interval",
        f"A paired bootstrap over users and seeds; the middle {confidence(content)} of the results. What crosses zero "
        "is within noise and is not advised upon.",
    )
    yield Step(
        "Groups",
        "The teacher’s lead is asked in many groups, and one would look bad by luck: p-values are corrected for that "
        "(Holm 1979). Groups of fewer than 20 users are not judged.",
    )
    yield Step(
        "Sureness",
        "Probabilities are the softmax of scores over the whole catalogue, seen items included: so a teacher speaks.",
    )
    yield Step(
        "Gradients",
        "Of each term by itself at the best student, dropout off, on "
        f"{wording.plural(number(content, 'tension', 'batches') or 0, 'batch', 'batches')} of training histories; "
        "what a term learns beside the student was fitted anew first. At the end of a training gradients sum to "
        "nothing, so terms that point apart are no harm unless one also points away from held-out answers.",
    )
