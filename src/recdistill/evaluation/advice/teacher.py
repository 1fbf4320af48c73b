"""Rules about the teacher: has it anything to teach, where not, and does it know how sure it may be?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from recdistill.evaluation.advice.contract import (
    Advice,
    Differences,
    named,
    taught,
    title,
    values,
    within,
)
from recdistill.evaluation.report import wording
from recdistill.evaluation.report.interval import interval
from recdistill.evaluation.report.reading import confidence, number, part
from recdistill.evaluation.roles import TEACHER, TWIN

SURE = 1.25
"""A temperature that fits the answers this many times better or worse than 1 is worth a word."""

_STRONGER = (
    "There is little to hand over. Strengthen the teacher first: train it longer (`teacher.training.epochs`), make "
    "it wider, or mix models that know different things (`teacher: {kind: ensemble}`)."
)


def has_a_lead(content: Mapping[str, Any]) -> Iterator[Advice]:
    """A teacher that is no better than the student by itself has nothing to teach."""
    found = Differences.of(content)
    if found.lead.tone == "better":
        return
    worse = "worse" if found.lead.tone == "worse" else "not shown to be better"
    yield Advice(
        "teacher",
        f"The teacher is {worse} than the undistilled student: {values(content, TEACHER, TWIN)} "
        f"({within(content, found.lead, found.base)}; the interval must lie above 0).",
        _STRONGER,
        found.lead.mean,
        0.0,
    )


def where_it_is_worse(content: Mapping[str, Any]) -> Iterator[Advice]:
    """Slices in which the student does better without the teacher; not if that is so everywhere."""
    if Differences.of(content).lead.tone == "worse":
        return
    alpha = round(1.0 - (number(content, "bootstrap", "confidence") or 0.95), 9)
    for cut in content["slices"]:
        for name, measured in part(content, "slices", cut).items():
            p, lead = number(measured, "lead", "p_holm"), interval(measured, "lead")
            if p is None or lead is None or p >= alpha or lead.mean >= 0:
                continue
            known = (
                number(measured, "models", role, str(content["metric"])) or 0.0
                for role in (TEACHER, TWIN)
            )
            pair = " against ".join(map(wording.significant, known))
            yield Advice(
                f"slice/{cut}/{name}",
                f"{_PLACES[cut](name)} the teacher is worse than the undistilled student: {title(content)} {pair} "
                f"in {wording.plural(measured['cases'], 'case')} (corrected p = {wording.significant(p, 2)}, below "
                f"{wording.significant(alpha, 1)}).",
                _CHANGES[cut](content, measured),
                lead.mean,
                0.0,
            )


_PLACES: Mapping[str, Callable[[str], str]] = {
    "popularity": lambda name: (
        f"Where the item to be found is of the {name},"
        if name != "cold"
        else "Where the item to be found is cold,"
    ),
    "history": lambda name: f"After histories of {name.replace('-', '–')} events,",
    "confidence": lambda name: f"Where the teacher is {name},",
}


def _terms(content: Mapping[str, Any]) -> str:
    return named(term["term"] for term in taught(content))


def _right(content: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    del measured
    return f"Hear it only where it is right: `filters: [{{kind: teacher-right}}]` on {_terms(content)}."


def _popular(content: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    return (
        f"{_right(content, measured)} If the labels too neglect such items, weight them by "
        "`{kind: inverse-propensity}`."
    )


def _sure(content: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    above = wording.significant(number(measured, "upto") or 0.0, 2)
    return (
        f"Hear it only where it is surer: `filters: [{{kind: confident, above: {above}}}]` on "
        f"{_terms(content)}."
    )


_CHANGES: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    "popularity": _popular,
    "history": _right,
    "confidence": _sure,
}


def knows_how_sure_to_be(content: Mapping[str, Any]) -> Iterator[Advice]:
    """Probabilities that do not fit the answers, where the terms' temperatures do not make up for it."""
    surplus = interval(content, "surplus_confidence")
    fitting = number(content, "temperature")
    terms = [term for term in taught(content) if term.get("temperature")]
    if surplus is None or fitting is None or not terms:
        return
    if surplus.tone == "better" and fitting > SURE:
        wrong = [term for term in terms if max(term["temperature"]) < fitting]
        too, change = "too sure", "Raise"
    elif surplus.tone == "worse" and fitting < 1 / SURE:
        wrong = [term for term in terms if min(term["temperature"]) > fitting]
        too, change = "not sure enough", "Lower"
    else:
        return
    if not wrong:
        return
    known = part(content, "calibration", TEACHER)
    bound = SURE if too == "too sure" else 1 / SURE
    yield Advice(
        "calibration",
        f"The teacher is {too}: it gives its best item {_share(known, 'confidence')} and is right in "
        f"{_share(known, 'top_1')} (difference {_bounds(content, surplus.bounds)}), and the answers are likeliest at "
        f"temperature {wording.significant(fitting, 2)} ({'above' if too == 'too sure' else 'below'} "
        f"{wording.significant(bound, 3)}).",
        f"{change} `temperature` of {named(term['term'] for term in wrong)} to about "
        f"{wording.significant(fitting, 2)}.",
        fitting,
        bound,
    )


def _share(known: Mapping[str, Any], name: str) -> str:
    return wording.percent(number(known, name) or 0.0)


def _bounds(content: Mapping[str, Any], bounds: tuple[float, float] | None) -> str:
    said = " to ".join(wording.percent(bound, signed=True) for bound in bounds or ())
    return f"{confidence(content)} interval {said}"


ABOUT_TEACHER = (has_a_lead, where_it_is_worse, knows_how_sure_to_be)
