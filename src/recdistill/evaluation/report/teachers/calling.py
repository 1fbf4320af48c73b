"""What a teacher is called: near-random, or knowing, in a few words that say no more than was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report.interval import interval
from recdistill.evaluation.report.reading import part


@dataclass(frozen=True)
class Called:
    """A word for a teacher.

    Attributes:
        word: for tables and chips.
        tone: `better`, `worse` or `neutral`.
    """

    word: str
    tone: str


_BY_CHANCE = {
    "near-random": Called("Near-random", "worse"),
    "worse than chance": Called("Worse than chance", "worse"),
    "too few cases to tell": Called("Too few cases to tell", "neutral"),
}
_BY_POPULARITY = {
    "better": Called("Knows more than popularity", "better"),
    "worse": Called("Worse than popularity", "worse"),
    "neutral": Called("No better than popularity", "neutral"),
    "unknown": Called("Better than chance", "neutral"),
}


def called(teacher: Mapping[str, Any]) -> Called:
    """The word for an entry of `teachers`: chance first, then its judge, then popularity."""
    result = part(teacher, "chance").get("result")
    if result in _BY_CHANCE:
        return _BY_CHANCE[result]
    judge = part(teacher, "candidates", "judge").get("result")
    if judge in _BY_CHANCE:
        found = _BY_CHANCE[judge]
        return Called(f"Judge: {found.word[:1].lower()}{found.word[1:]}", found.tone)
    lead = interval(teacher, "over_popularity")
    return _BY_POPULARITY[lead.tone if lead else "unknown"]


def random_ones(content: Mapping[str, Any]) -> list[str]:
    """The roles of teachers that are near-random, or whose judges are."""
    return [
        role
        for role, teacher in part(content, "teachers").items()
        if "near-random" in called(teacher).word.lower()
    ]
