"""What counts at a moment of training: the objectives of positive weight, and whom they listen to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from recdistill.distill.companions import Companion
from recdistill.distill.objectives.contract import (
    Knobs,
    LiveObjective,
    LogitObjective,
    Objective,
    VectorObjective,
)
from recdistill.distill.objectives.outcome import Outcome
from recdistill.distill.schedules import Scheduled
from recdistill.training.step import Moment

Kind = TypeVar("Kind", bound=Objective)
Part = TypeVar("Part", bound=Scheduled)


@dataclass(frozen=True)
class Present:
    """The objectives of positive weight at a moment, with the values of their schedules."""

    over_logits: list[tuple[LogitObjective, Knobs]]
    over_vectors: list[tuple[VectorObjective, Knobs]]
    over_models: list[tuple[LiveObjective, Knobs]]
    over_outcomes: list[tuple[Outcome, Knobs]]

    @classmethod
    def at(
        cls,
        moment: Moment,
        over_logits: Sequence[LogitObjective],
        over_vectors: Sequence[VectorObjective],
        over_models: Sequence[LiveObjective],
        over_outcomes: Sequence[Outcome],
    ) -> Present:
        """Those of the objectives that count at `moment`."""
        return cls(
            _weighty(over_logits, moment),
            _weighty(over_vectors, moment),
            _weighty(over_models, moment),
            _weighty(over_outcomes, moment),
        )

    @property
    def watches(self) -> bool:
        """Whether anybody looks into the student."""
        return any(term.watches for term, _ in self.over_models) or any(
            term.head.watches for term, _ in self.over_logits
        )

    @property
    def companions(self) -> dict[Companion, bool]:
        """Who is listened to, and whether anybody looks into them."""
        listening = (*self.over_logits, *self.over_outcomes)
        named: dict[Companion, bool] = {term.of: False for term, _ in listening if term.of}
        for term, _ in self.over_models:
            named[term.of] = named.get(term.of, False) or term.watches
        return named


def _weighty(objectives: Sequence[Kind], moment: Moment) -> list[tuple[Kind, Knobs]]:
    return [(term, knobs) for term, knobs in tuned(objectives, moment) if knobs["weight"] > 0]


def tuned(parts: Sequence[Part], moment: Moment) -> list[tuple[Part, Knobs]]:
    """Objectives or filters, each with the present values of its schedules."""
    return [(part, part.knobs(moment.progress, moment.feedback)) for part in parts]
