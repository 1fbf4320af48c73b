"""How teachers were judged, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.protocol import Step
from recdistill.evaluation.report.reading import confidence, number, part


def method(content: Mapping[str, Any]) -> tuple[Step, ...]:
    """The aspects that a reader must know."""
    return tuple(_steps(content))


def _steps(content: Mapping[str, Any]) -> Iterator[Step]:
    cases, users = (number(content, "dataset", f"valid_{name}") or 0 for name in ("cases", "users"))
    yield Step(
        "Cases",
        f"{wording.plural(cases, 'validation case')} of {wording.plural(users, 'user')}, the same for all. The test "
        "stays closed, so that whoever chooses a teacher by this page can still be judged there once. What was fitted "
        "on validation (weights, temperatures, early stopping) is a little flattered here.",
    )
    yield Step(
        "Interval",
        f"A paired bootstrap over users; the middle {confidence(content)} of the results.",
    )
    yield Step(
        "Chance",
        "Under a random order of what was ranked the right item stands anywhere with equal probability. A teacher is "
        "near-random where neither NDCG@10 nor how often the right item stands above another is shown to differ from "
        "that, though the cases would have shown six right orders in ten. Errors are clustered by user and by right "
        "item, since who says the same of everybody looks wise by luck; two tests, and as many teachers as there are, "
        "are corrected for (Bonferroni, Holm).",
    )
    yield Step(
        "Groups",
        "A ✓ marks a lead over popularity that stands after correction for the number of groups (Holm). Groups of "
        "fewer than 20 users are not judged.",
    )
    if any(part(one, "candidates") for one in part(content, "teachers").values()):
        yield Step(
            "Candidates",
            "Where the right item was among the candidates, judge and base are each compared with chance by where they "
            "put it. Position bias: the same questions were asked again with the candidates in a random order; what "
            "an item is worth cancels in the difference, and what is left is the order’s doing.",
        )
    if any(
        part(one, "account").get("grounded") is not None
        for one in part(content, "teachers").values()
    ):
        yield Step(
            "In the catalogue",
            "Of a chat model: which entries of the answers read here are among the candidates it was shown. Of "
            "a file: which of its names were found without doubt. Who is constrained can name nothing else; who only "
            "scores what it is shown names nothing, and has no such share.",
        )
    yield Step(
        "Sureness",
        "Probabilities are the softmax of scores over the whole catalogue, seen items included: so a teacher speaks.",
    )
