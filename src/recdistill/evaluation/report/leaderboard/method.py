"""How the techniques were compared, and what the numbers do not say, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.cautions import cautions
from recdistill.evaluation.report.protocol import Step, protocol
from recdistill.evaluation.report.reading import TEACHER, TWIN, confidence, number, part


def method(content: Mapping[str, Any]) -> tuple[Step, ...]:
    """The protocol of a report, with what is another in a comparison of many."""
    shared = [step for step in protocol(content) if step.name not in {"Verdict", "Fair comparison"}]
    return (*shared, *_steps(content))


def _steps(content: Mapping[str, Any]) -> Iterator[Step]:
    tried = wording.plural(content["techniques"], "technique")
    yield Step(
        "Fair comparison",
        "All students share architecture, data, seeds, budget and early stopping on validation; they "
        f"learn from the same signals of the same teacher. {_different(content)}",
    )
    yield from _tuning(content)
    yield Step(
        "Many comparisons",
        f"With {tried}, some would look better by luck. The two-sided p-value of each bootstrap "
        "difference is therefore corrected by Holm’s method (1979): a false “better” or “worse” anywhere "
        f"on this page has a chance of at most {wording.percent(_alpha(content))}.",
    )
    yield Step(
        "Verdict",
        f"Better or worse where the corrected p-value is below {wording.significant(_alpha(content), 1)}. "
        f"The {confidence(content)} intervals are of one difference each and are not corrected, so one may "
        "leave out zero and still show nothing.",
    )
    yield Step(
        "The best of many",
        "Who comes first on one test was partly lucky there: expect a little less of it elsewhere.",
    )
    yield Step(
        "Training cost",
        "Seconds of training steps until early stopping, the mean over seeds; the teacher and what it said, "
        "which all share, are not counted.",
    )


def _different(content: Mapping[str, Any]) -> str:
    if content.get("budget"):
        return "Only the recipe differs, and what tuning made of it."
    return "Only the recipe differs."


def _tuning(content: Mapping[str, Any]) -> Iterator[Step]:
    """What everybody could spend, and on what."""
    trials, share = number(content, "budget", "trials"), number(content, "budget", "share")
    if not trials or not share:
        return
    yield Step(
        "Equal tuning",
        f"Every technique, and the undistilled student, had {wording.plural(int(trials), 'trial')} on validation, "
        f"trainings with the first seed over {wording.percent(share)} of the epochs; the first is the recipe as "
        "written. One quantity was moved at a time, as long as that helped: the weights of what is heard beside the "
        "student’s own terms, dropout, temperatures, and the learning rate, of each recipe those that it has, in "
        "steps of ×3, ×1.7, ×2 and ×2, then in half of such steps. The best trial’s recipe and the recipe as "
        "written were then trained in full, and the better on validation stands. A recipe with `auto` spent its "
        "trials on a search of its own, and trained its choice at two lengths.",
    )


def warnings(content: Mapping[str, Any]) -> tuple[str, ...]:
    """What a reader must know before believing the leaderboard."""
    references = part(content, "references")
    values = {role: part(references, role, "values") for role in (TEACHER, TWIN)}
    known = {**content, "models": values}
    return cautions(known, tuple(_resolution(content)), str(content["metric"]))


def _resolution(content: Mapping[str, Any]) -> Iterator[str]:
    """Bootstraps of few draws have no small p-values, and many techniques need very small ones."""
    resamples, tried = number(content, "bootstrap", "resamples"), number(content, "techniques")
    if not resamples or not tried:
        return
    smallest = 2 * tried / (1 + resamples)
    if smallest >= _alpha(content):
        wanted = 10 * tried / _alpha(content)
        yield (
            f"With {wording.plural(tried, 'technique')} and {wording.count(resamples)} resamples no corrected "
            f"p-value can be below {wording.significant(min(smallest, 1.0), 2)}, so nothing can be shown. Set "
            f"`evaluation.resamples` to {wording.count(wanted)}."
        )


def _alpha(content: Mapping[str, Any]) -> float:
    return round(1.0 - (number(content, "bootstrap", "confidence") or 0.95), 9)
