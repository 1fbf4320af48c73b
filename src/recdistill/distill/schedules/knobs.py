"""Fields that are schedules: the ranges they keep to, and settings that have some."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator

from recdistill.distill.schedules.adversarial import Adversarial
from recdistill.distill.schedules.contract import Feedback
from recdistill.distill.schedules.values import Schedule, extremes, value
from recdistill.settings import Settings


@dataclass(frozen=True)
class Within:
    """Refuses a schedule that leaves its range at any time; marks a field as a knob (see
    `Scheduled.knobs`)."""

    low: float
    open: bool = False
    """Whether `low` itself is refused."""
    high: float = math.inf
    learned: bool = False
    """Whether it may be learned instead of scheduled."""

    def __call__(self, schedule: Schedule) -> Schedule:
        """The schedule, when all its values are allowed."""
        if isinstance(schedule, Adversarial) and not self.learned:
            raise ValueError(
                "cannot be learned against the student; only the temperature of `kl` can"
            )
        low, high = extremes(schedule)
        above = low > self.low if self.open else low >= self.low
        if not (above and high <= self.high and math.isfinite(high)):
            bound = f"{'greater than' if self.open else 'at least'} {self.low:g}"
            limit = f" and at most {self.high:g}" if math.isfinite(self.high) else ""
            raise ValueError(
                f"must be finite, {bound}{limit} at all times; it reaches {low:g} … {high:g}"
            )
        return schedule


class Scheduled(Settings):
    """Settings some of which may change while training goes on."""

    def knobs(self, progress: float, feedback: Feedback) -> dict[str, float]:
        """The present value of every field that is a schedule."""
        return {
            name: value(getattr(self, name), progress, feedback) for name in _schedules(type(self))
        }


@cache
def _schedules(kind: type[Settings]) -> tuple[str, ...]:
    return tuple(
        name
        for name, field in kind.model_fields.items()
        if any(_is_range(mark) for mark in field.metadata)
    )


def _is_range(mark: Any) -> bool:
    return isinstance(mark, AfterValidator) and isinstance(mark.func, Within)


Weight = Annotated[Schedule, AfterValidator(Within(0.0))]
"""How much a term counts: finite and at least 0."""

Temperature = Annotated[Schedule, AfterValidator(Within(0.0, open=True))]
"""What logits are divided by before the softmax: finite and greater than 0."""

RivalTemperature = Annotated[Schedule, AfterValidator(Within(0.0, open=True, learned=True))]
"""A temperature that may also be learned against the student."""

Fraction = Annotated[Schedule, AfterValidator(Within(0.0, high=1.0))]
"""A share or a probability: from 0 to 1."""
