"""What is known of teachers once they were looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from recdistill.evaluation.calibration import Beliefs
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.judging.candidates import Among
from recdistill.teachers.chance import Standing

Part = Literal["teacher", "member", "further"]
"""Of the run, of its ensemble, or named beside it."""


@dataclass(frozen=True)
class Known:
    """One teacher, looked at.

    Attributes:
        part: what it is to the run.
        standing: where the right answers stood in its rankings.
        beliefs: what it believed of the cases.
        temperature: at which its probabilities would fit the answers best.
        among: what its judge does with the candidates, if it has one.
        cost: what it costs to keep and to ask, by name.
        account: what its words cost, if it counts them.
        weight: in the ensemble, of a member.
        remarks: what fitting found out, a sentence each.
    """

    part: Part
    standing: Standing
    beliefs: Beliefs
    temperature: float
    among: Among | None = None
    cost: Mapping[str, Any] = field(default_factory=dict[str, Any])
    account: Mapping[str, Any] = field(default_factory=dict[str, Any])
    weight: float | None = None
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Panel:
    """Teachers side by side.

    Attributes:
        evaluation: of all of them and of popularity on validation cases, by role.
        teachers: what is known of each, by role.
        remarks: what holds for all of them, a sentence each.
    """

    evaluation: Evaluation
    teachers: Mapping[str, Known]
    remarks: Sequence[str] = ()
