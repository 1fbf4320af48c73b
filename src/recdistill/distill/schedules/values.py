"""Any schedule, plain numbers included, and what can be asked of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator

from recdistill.distill.schedules.adaptive import Adaptive
from recdistill.distill.schedules.adversarial import Adversarial
from recdistill.distill.schedules.constant import Constant
from recdistill.distill.schedules.contract import Feedback, Timetable
from recdistill.distill.schedules.ramps import Cosine, Linear, Step

Schedule = (
    float
    | Annotated[Constant | Linear | Cosine | Step | Adaptive | Adversarial, Discriminator("kind")]
)
"""A number, or `{kind: constant | linear | cosine | step | adaptive | adversarial, …}`."""


def value(schedule: Schedule, progress: float, feedback: Feedback) -> float:
    """The value of any schedule, plain numbers included."""
    return schedule.value(progress, feedback) if isinstance(schedule, Timetable) else schedule


def extremes(schedule: Schedule) -> tuple[float, float]:
    """The least and the greatest value of any schedule, plain numbers included."""
    return schedule.extremes() if isinstance(schedule, Timetable) else (schedule, schedule)


def times(schedule: Schedule, factor: float) -> Schedule:
    """The schedule whose every value is `factor` times that of this one."""
    if not isinstance(schedule, Timetable):
        return schedule * factor
    ends = (name for name in _ENDS if name in type(schedule).model_fields)
    return schedule.model_copy(update={name: getattr(schedule, name) * factor for name in ends})


_ENDS = ("value_", "from_", "to", "low", "high")
"""The fields of schedules that are values, and not moments."""
