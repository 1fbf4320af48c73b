"""Is this teacher worth listening to? Two sentences that say no more than was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.interval import interval
from recdistill.evaluation.report.reading import confidence, model_label, number, part
from recdistill.evaluation.report.teachers.calling import called, random_ones
from recdistill.evaluation.report.verdict import Verdict
from recdistill.evaluation.roles import POPULARITY, TEACHER


def finding(content: Mapping[str, Any]) -> Verdict:
    """What the run's teacher is worth, and who else should be known."""
    metric, teacher = str(content["metric"]), part(content, "teachers", TEACHER)
    word = called(teacher)
    told = f"{_told(word.word)}: {_values(content, metric)}"
    standing = " ".join(_standing(content, metric))
    return Verdict(word.tone, word.word, told, _evidence(content), standing, metric)


def _told(word: str) -> str:
    if word.startswith("Judge: "):
        return f"The teacher’s judge is {word.removeprefix('Judge: ')}"
    return {
        "Near-random": "The teacher is near-random",
        "Worse than chance": "The teacher is worse than chance",
        "Too few cases to tell": "There are too few cases to judge the teacher",
        "Knows more than popularity": "The teacher knows more than popularity",
        "Worse than popularity": "The teacher is worse than popularity",
        "No better than popularity": "The teacher is not shown to be better than popularity",
    }.get(word, "The teacher is better than chance")


def _values(content: Mapping[str, Any], metric: str) -> str:
    own, popular = (number(content, "models", role, metric) for role in (TEACHER, POPULARITY))
    beside = [
        f"popularity has {wording.significant(popular)}" if popular is not None else "",
        f"chance gives {wording.significant(by_chance(content), 2)}" if metric == "ndcg@10" else "",
    ]
    return f"{metric_title(metric)} {wording.significant(own or 0.0)}, where {' and '.join(filter(None, beside))}"


def by_chance(content: Mapping[str, Any]) -> float:
    """What NDCG@10 is worth under a random order of the catalogue."""
    found = (
        number(teacher, "chance", "ndcg", "chance")
        for teacher in part(content, "teachers").values()
    )
    return next((one for one in found if one is not None), 0.0)


def _evidence(content: Mapping[str, Any]) -> str:
    lead = interval(content, "teachers", TEACHER, "over_popularity")
    cases, users = (number(content, "dataset", f"valid_{name}") or 0 for name in ("cases", "users"))
    counted = f"{wording.plural(cases, 'validation case')}, {wording.plural(users, 'user')}"
    if lead is None or lead.bounds is None:
        return f"({counted})"
    bounds = " to ".join(map(wording.signed, lead.bounds))
    return f"({confidence(content)} interval of the lead over popularity {bounds}, {counted})"


def _standing(content: Mapping[str, Any], metric: str) -> Iterator[str]:
    teachers = part(content, "teachers")
    others = [role for role in random_ones(content) if role != TEACHER]
    if others:
        yield f"Near-random: {', '.join(map(model_label, others))}."
    yield from _judges(teachers)
    best = max(teachers, key=lambda role: number(content, "models", role, metric) or 0.0)
    if len(teachers) > 1 and best != TEACHER:
        value = wording.significant(number(content, "models", best, metric) or 0.0)
        yield f"Best of all is {model_label(best)} with {value}."


def _judges(teachers: Mapping[str, Any]) -> Iterator[str]:
    shares = [
        (model_label(role), wording.percent(judge), wording.percent(base))
        for role, teacher in teachers.items()
        if (judge := number(teacher, "candidates", "judge", "auc", "value")) is not None
        and (base := number(teacher, "candidates", "base", "auc", "value")) is not None
    ]
    half = wording.percent(0.5)
    if len(shares) == 1:
        ((name, judge, base),) = shares
        yield (
            f"Among the candidates, the judge of {name} puts the right item above another in {judge} of all pairs, the "
            f"base in {base}; chance is {half}."
        )
    elif shares:
        each = ", ".join(f"{name} {judge} (its base {base})" for name, judge, base in shares)
        yield f"Pairs of candidates in which a judge puts the right item above another, {half} being chance: {each}."
    yield from _orders(teachers)


def _orders(teachers: Mapping[str, Any]) -> Iterator[str]:
    for role, teacher in teachers.items():
        order = part(teacher, "candidates", "order")
        if order.get("shown") is True:
            lifted = wording.significant(number(order, "slope") or 0.0, 2)
            yield (
                f"The order in which candidates are shown decides part of what {model_label(role)} answers: one place "
                f"earlier there lifts an item by {lifted} places."
            )
