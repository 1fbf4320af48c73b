"""Rules about the student: did it take anything over, did that help, and what is left?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.advice.contract import Advice, Differences, moved, named, taught, within
from recdistill.evaluation.report import wording
from recdistill.evaluation.report.interval import Interval, interval
from recdistill.evaluation.report.reading import number
from recdistill.evaluation.roles import STUDENT, TWIN

ENOUGH = 0.7
"""The share of the teacher's lead from which a student has most of it."""


def took_nothing_over(content: Mapping[str, Any]) -> Iterator[Advice]:
    """A good teacher whom the student does not follow."""
    taken = interval(content, "taken_over")
    if taken is None or taken.tone == "better" or Differences.of(content).lead.tone != "better":
        return
    yield Advice(
        "not inherited",
        f"The student took nothing over: it lists {_listed(content, STUDENT)} of the teacher’s ten best, its "
        f"undistilled twin {_listed(content, TWIN)} (difference {_points(taken)}; the interval must lie above 0).",
        f"Hear the teacher more: raise {_weights(content)}, or train longer (`training.epochs`).",
        taken.mean,
        0.0,
    )


def took_over_in_vain(content: Mapping[str, Any]) -> Iterator[Advice]:
    """A good teacher whom the student follows, to no avail."""
    taken, found = interval(content, "taken_over"), Differences.of(content)
    follows = taken is not None and taken.tone == "better"
    if not follows or found.lead.tone != "better" or found.gain.tone == "better":
        return
    yield Advice(
        "in vain",
        f"The student follows a better teacher ({_listed(content, STUDENT)} of its ten best instead of "
        f"{_listed(content, TWIN)}) and has not been shown to gain by it: "
        f"{within(content, found.gain, found.base)}; the interval must lie above 0.",
        "Hear it where it is right (`filters: [{kind: teacher-right}]`), or hear more of it than the head of its "
        "lists (`{kind: kl, rest: bucket}`, item vectors).",
        found.gain.mean,
        0.0,
    )


def cannot_be_seen(content: Mapping[str, Any]) -> Iterator[Advice]:
    """A gain that this many users and seeds cannot tell from noise."""
    found = Differences.of(content)
    if found.gain.tone != "neutral" or found.gain.bounds is None:
        return
    low, high = found.gain.bounds
    least = Interval((high - low) / 2)
    seeds, users = number(content, "seeds") or 1.0, number(content, "dataset", "valid_users") or 0.0
    yield Advice(
        "noise",
        f"The student’s gain is within noise: {within(content, found.gain, found.base)}. With "
        f"{wording.plural(seeds, 'seed')} and {wording.plural(users, 'user')} a difference below "
        f"{moved(least, found.base).lstrip('+')} cannot be seen.",
        "To see smaller ones, train more seeds (`evaluation.seeds`) or ask more users (a larger `split.valid`).",
        abs(found.gain.mean),
        least.mean,
    )


def overfits(content: Mapping[str, Any]) -> Iterator[Advice]:
    """A student that learned its training events by heart more than its twin did, and is no better for it."""
    apart, found = interval(content, "generalisation", "difference"), Differences.of(content)
    if apart is None or apart.tone != "better" or found.gain.tone == "better":
        return
    metric = (
        number(content, "generalisation", "models", role, "gap") or 0.0 for role in (STUDENT, TWIN)
    )
    pair = " against ".join(wording.signed(one) for one in metric)
    bounds = " to ".join(wording.signed(bound) for bound in apart.bounds or ())
    yield Advice(
        "generalisation",
        f"The student is further ahead on training events than its twin is: {pair} over validation (difference "
        f"{wording.signed(apart.mean)}, interval {bounds}; it should not lie above 0), without being better.",
        "Train less or more gently: fewer `training.epochs`, more `student.dropout`, some "
        "`training.optimizer.weight_decay`.",
        apart.mean,
        0.0,
    )


def what_is_left(content: Mapping[str, Any]) -> Iterator[Advice]:
    """How much of a good teacher's lead the student has not got, and what to do when it has all."""
    found = Differences.of(content)
    if found.gain.tone != "better" or found.lead.tone != "better":
        return
    closed = found.gain.mean / found.lead.mean
    if found.left.tone == "better" and closed < ENOUGH:
        yield Advice(
            "left",
            f"The student has {wording.percent(closed)} of the teacher’s lead (less than "
            f"{wording.percent(ENOUGH)}); what is left is {within(content, found.left, found.base)}.",
            f"Hear more of it: raise {_weights(content)}, store longer lists (`signals: [{{kind: top-k, k: …}}]`), "
            "or give the student more width.",
            closed,
            ENOUGH,
        )
    elif found.left.tone == "worse":
        yield Advice(
            "left",
            "The student is better than its teacher: teacher minus student is "
            f"{within(content, found.left, found.base)} (below 0).",
            "A stronger teacher is the next thing to try.",
            found.left.mean,
            0.0,
        )


def _listed(content: Mapping[str, Any], role: str) -> str:
    return wording.percent(number(content, "agreement", role, "overlap@10") or 0.0)


def _points(found: Interval) -> str:
    bounds = " to ".join(wording.percent(bound, signed=True) for bound in found.bounds or ())
    return f"{wording.percent(found.mean, signed=True)}, interval {bounds}"


def _weights(content: Mapping[str, Any]) -> str:
    """`the weight of 'kl' (now 1 to 0.3)`."""
    terms = taught(content)
    if not terms:
        return "the weight of a term that hears it"
    now = ", ".join(
        " to ".join(f"{end:g}" for end in dict.fromkeys(one["weight"])) for one in terms
    )
    plural = "s" if len(terms) > 1 else ""
    return f"the weight{plural} of {named(one['term'] for one in terms)} (now {now})"


ABOUT_STUDENT = (took_nothing_over, took_over_in_vain, cannot_be_seen, overfits, what_is_left)
