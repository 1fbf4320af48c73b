"""Did distillation help, and why: two sentences that say no more than was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recdistill.evaluation.advice.contract import Differences, moved, title
from recdistill.evaluation.report import wording
from recdistill.evaluation.report.interval import interval
from recdistill.evaluation.report.reading import confidence, number
from recdistill.evaluation.report.verdict import CHIPS, Verdict
from recdistill.evaluation.roles import STUDENT, TWIN

_CHIPS = {**CHIPS, "better": "Helped", "worse": "Hurt"}


def finding(content: Mapping[str, Any]) -> Verdict:
    """The verdict on validation, and its reason as far as it was measured."""
    found = Differences.of(content)
    tone = found.gain.tone
    said = moved(found.gain, found.base)
    amount = said.lstrip(f"+{wording.MINUS}")
    name = f"{title(content)} on validation"
    told = {
        "better": f"Distillation helped: it raised {name} by {amount}",
        "worse": f"Distillation hurt: it lowered {name} by {amount}",
    }.get(tone, f"Distillation changed nothing that can be shown: {name} moved by {said}")
    return Verdict(
        tone, _CHIPS[tone], told, _evidence(content), _reason(content), str(content["metric"])
    )


def _evidence(content: Mapping[str, Any]) -> str:
    found = Differences.of(content)
    bounds = " to ".join(
        moved(type(found.gain)(bound), found.base) for bound in found.gain.bounds or ()
    )
    seeds = wording.plural(number(content, "seeds") or 1, "seed")
    users = wording.plural(number(content, "dataset", "valid_users") or 0, "user")
    return f"({confidence(content)} interval {bounds}, {seeds}, {users})"


def _reason(content: Mapping[str, Any]) -> str:
    """What the teacher had to give, and whether the student took it."""
    found = Differences.of(content)
    if found.lead.tone == "better":
        return f"The teacher is {_ahead(found)} the undistilled student, and {_taken(content)}."
    if found.gain.tone == "better":
        return (
            f"The teacher is {_ahead(found)} the undistilled student: what helped is how it speaks, "
            "not that it knows better."
        )
    return f"The teacher teaches nothing: it is {_ahead(found)} the undistilled student."


def _ahead(found: Differences) -> str:
    share = moved(found.lead, found.base).lstrip(f"+{wording.MINUS}")
    words = {"better": f"{share} better than", "worse": f"{share} worse than"}
    return words.get(found.lead.tone, "not shown to be better than")


def _taken(content: Mapping[str, Any]) -> str:
    taken = interval(content, "taken_over")
    own, twins = (
        wording.percent(number(content, "agreement", role, "overlap@10") or 0.0)
        for role in (STUDENT, TWIN)
    )
    if taken is not None and taken.tone == "better":
        return f"the student follows it: {own} of its ten best instead of {twins}"
    return (
        f"the student does not follow it: {own} of its ten best, and {twins} without distillation"
    )
