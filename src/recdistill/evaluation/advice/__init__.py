"""What to change in a recipe, by rules over what was measured: each names its number and its threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recdistill.evaluation.advice.contract import Advice as Advice
from recdistill.evaluation.advice.student import ABOUT_STUDENT
from recdistill.evaluation.advice.teacher import ABOUT_TEACHER
from recdistill.evaluation.advice.terms import ABOUT_TERMS


def advise(content: Mapping[str, Any]) -> list[Advice]:
    """The advice of every rule, in the order in which things should be mended: teacher, terms, student.

    Args:
        content: of `explanation.json`, before advice and verdict.
    """
    rules = (*ABOUT_TEACHER, *ABOUT_TERMS, *ABOUT_STUDENT)
    return [one for rule in rules for one in rule(content)]
