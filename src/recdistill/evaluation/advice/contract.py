"""What a piece of advice is, and how rules read what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.interval import Interval, interval
from recdistill.evaluation.report.reading import confidence, number
from recdistill.evaluation.roles import TWIN


@dataclass(frozen=True)
class Advice:
    """What was found, and what to do about it.

    Attributes:
        topic: what the rule is about, for programs.
        finding: a sentence with the number seen and the threshold.
        change: what to change in the recipe.
        seen: that number; of advice on a signal, the temperature.
        threshold: and that threshold; of advice on a signal, the temperature advised (0 for none).
    """

    topic: str
    finding: str
    change: str
    seen: float
    threshold: float


@dataclass(frozen=True)
class Differences:
    """The three differences on which most rules turn.

    Attributes:
        lead: teacher minus undistilled student.
        gain: student minus undistilled student.
        left: teacher minus student.
        base: the value of the undistilled student.
    """

    lead: Interval
    gain: Interval
    left: Interval
    base: float

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Differences:
        """Those of `explanation.json`."""
        lead, gain, left = (
            interval(content, "differences", name) or Interval(0.0)
            for name in ("teacher", "student", "left")
        )
        return cls(lead, gain, left, value(content, TWIN))


def value(content: Mapping[str, Any], role: str) -> float:
    """The metric of a model on validation."""
    return number(content, "models", role, str(content["metric"])) or 0.0


def title(content: Mapping[str, Any]) -> str:
    """The metric as people write it."""
    return metric_title(str(content["metric"]))


def values(content: Mapping[str, Any], one: str, other: str) -> str:
    """`NDCG@10 0.0831 against 0.0719`."""
    pair = (wording.significant(value(content, role)) for role in (one, other))
    return f"{title(content)} {' against '.join(pair)}"


def moved(found: Interval, base: float) -> str:
    """A difference, as a share of `base` where that is more than nothing."""
    if base > 0:
        return wording.percent(found.mean / base, signed=True)
    return wording.signed(found.mean)


def within(content: Mapping[str, Any], found: Interval, base: float) -> str:
    """A difference with its interval: `+16 %, 95 % interval +8 % to +23 %`."""
    bounds = (moved(Interval(bound), base) for bound in found.bounds or ())
    return f"{moved(found, base)}, {confidence(content)} interval {' to '.join(bounds)}"


def taught(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The terms that hear the teacher."""
    return [term for term in content["terms"] if term["taught"]]


def named(labels: Iterable[str]) -> str:
    """`'kl'`, `'kl' and 'align'`."""
    return " and ".join(f"'{label}'" for label in labels)
