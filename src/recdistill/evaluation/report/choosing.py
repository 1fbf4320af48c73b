"""What `recipe: auto` tried and chose, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.measures import Line, Measure, Table

_VALIDATION = Measure("validation", "Validation", "NDCG@10 on the validation cases.", str)
_BESIDE = Measure("difference", "Beside undistilled", "Minus the undistilled student’s.", str)


@dataclass(frozen=True)
class Choosing:
    """The choice as the page shows it.

    Attributes:
        sentence: what was chosen.
        start: why the search began where it did, and how the teacher stands.
        trials: every short training, in the order of trial.
        finals: those that were trained in full, beside the undistilled student.
    """

    sentence: str
    start: str
    trials: Table
    finals: Table


def choosing(choice: Mapping[str, Any]) -> Choosing | None:
    """The section of a `choice.json`; `None` where nothing was left to be chosen."""
    if not choice:
        return None
    trials = [
        Line(one["what"], "", (wording.significant(one["validation"]),)) for one in choice["trials"]
    ]
    finals = [
        Line(one["what"], "", (wording.significant(one["validation"]), _bounds(one["difference"])))
        for one in choice["finals"]
    ]
    finals.append(
        Line("undistilled", "", (wording.significant(choice["undistilled"]), wording.NONE))
    )
    return Choosing(
        choice["sentence"],
        f"{choice['start']} The teacher beside the undistilled student: {_bounds(choice['teacher'])}.",
        Table((_VALIDATION,), tuple(trials)),
        Table((_VALIDATION, _BESIDE), tuple(finals)),
    )


def _bounds(difference: Mapping[str, float]) -> str:
    mean, low, high = (wording.signed(difference[name], 3) for name in ("mean", "low", "high"))
    return f"{mean} ({low} … {high})"
