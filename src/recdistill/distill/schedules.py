"""Numbers that change while training goes on.

Weights and temperatures (and whatever else an objective wants to vary) are schedules: a plain
number, or one of the kinds below. A schedule is a function of how far training has come and of what
the last validation said, so that *progressive*, *dynamic* and *adaptive* distillation are values in
a recipe, not trainers.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    PositiveFloat,
    model_validator,
)

from recdistill.settings import Settings

Feedback = Mapping[str, float]
"""What the last validation measured, by metric name; empty before the first."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A share of the training that has been done: 0 at its start, 1 at its end."""


class Timetable(Settings):
    """A schedule that is more than a number."""

    @abstractmethod
    def value(self, progress: float, feedback: Feedback) -> float:
        """The value at `progress` in [0, 1], the share of the planned training done."""

    @abstractmethod
    def extremes(self) -> tuple[float, float]:
        """The least and the greatest value it can take."""


class Constant(Timetable):
    """Always `value_`; the long way to write a number."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    kind: Literal["constant"] = "constant"
    value_: float = Field(validation_alias="value", serialization_alias="value")

    def value(self, progress: float, feedback: Feedback) -> float:
        """The number itself."""
        return self.value_

    def extremes(self) -> tuple[float, float]:
        """The number, twice."""
        return self.value_, self.value_


class Ramp(Timetable):
    """A schedule that goes `from` one value `to` another."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    from_: float = Field(validation_alias="from", serialization_alias="from")
    to: float

    @abstractmethod
    def travelled(self, progress: float) -> float:
        """The share of the way from `from` to `to` behind us at `progress`, within [0, 1]."""

    def value(self, progress: float, feedback: Feedback) -> float:
        """Where the ramp stands; exact at both ends."""
        share = self.travelled(progress)
        return (1 - share) * self.from_ + share * self.to

    def extremes(self) -> tuple[float, float]:
        """Its two ends in order."""
        return min(self.from_, self.to), max(self.from_, self.to)


class Glide(Ramp):
    """A ramp that rests at `from` before `begin` and at `to` after `end`."""

    begin: Share = 0.0
    """Progress at which it leaves `from`."""
    end: Share = 1.0
    """Progress at which it reaches `to`."""

    @model_validator(mode="after")
    def _ordered(self) -> Glide:
        if self.begin >= self.end:
            raise ValueError(f"`begin` ({self.begin:g}) must be smaller than `end` ({self.end:g})")
        return self

    def _within(self, progress: float) -> float:
        return min(max((progress - self.begin) / (self.end - self.begin), 0.0), 1.0)


class Linear(Glide):
    """In a straight line; with `end: 0.1`, a warm-up."""

    kind: Literal["linear"] = "linear"

    def travelled(self, progress: float) -> float:
        """Proportional to progress."""
        return self._within(progress)


class Cosine(Glide):
    """Half a cosine: slow, fast, slow (Loshchilov & Hutter 2017, eq. 5)."""

    kind: Literal["cosine"] = "cosine"

    def travelled(self, progress: float) -> float:
        """(1 − cos πs) / 2 at share s of the interval."""
        return (1 - math.cos(math.pi * self._within(progress))) / 2


class Step(Ramp):
    """Jumps of equal size at each of `at`."""

    kind: Literal["step"] = "step"
    at: tuple[Share, ...] = Field(default=(0.5,), min_length=1)
    """Progress at which it jumps."""

    def travelled(self, progress: float) -> float:
        """The share of the jumps already made; a jump is made *at* its progress."""
        return sum(progress >= moment for moment in self.at) / len(self.at)


class Adaptive(Ramp):
    """Goes from one value to another as the student comes up to its teacher on validation, whenever that is.

    The share of the way is (m / target − begin) / (1 − begin), m being the last validation: the gap decides and
    not the time, so a student that falls back goes back. The gap as the measure of how much a teacher is still
    needed: Li 2025 ("Context-aware knowledge distillation with adaptive weighting"), who take it from the losses.
    """

    kind: Literal["adaptive"] = "adaptive"
    metric: Literal["ndcg@10"] = "ndcg@10"
    """What is compared: the metric by which training validates."""
    target: PositiveFloat | None = None
    """What counts as caught up; what the given teacher reaches on validation when it is not said."""
    begin: float = Field(default=0.0, ge=0, lt=1)
    """The share of the target at which it leaves `from`."""

    def travelled(self, progress: float) -> float:
        """Nothing: time does not count."""
        return 0.0

    def value(self, progress: float, feedback: Feedback) -> float:
        """Where the last validation puts it; `from` before the first."""
        reached = feedback.get(self.metric, 0.0) / (self.target or math.inf)
        share = min(max((reached - self.begin) / (1 - self.begin), 0.0), 1.0)
        return (1 - share) * self.from_ + share * self.to


class Adversarial(Timetable):
    """Learned against the student, within bounds (see `distill.rivals`); for temperatures of terms that allow it."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    kind: Literal["adversarial"] = "adversarial"
    from_: float = Field(validation_alias="from", serialization_alias="from")
    """Where it begins."""
    low: float
    high: float
    ramp: float = Field(default=0.1, gt=0, le=1)
    """The share of the training until it has its full strength."""

    @model_validator(mode="after")
    def _within_bounds(self) -> Adversarial:
        if not self.low < self.from_ < self.high:
            raise ValueError(
                f"`from` ({self.from_:g}) must lie between `low` ({self.low:g}) and `high` ({self.high:g})"
            )
        return self

    def value(self, progress: float, feedback: Feedback) -> float:
        """Where it begins; what it has become, the loss knows."""
        return self.from_

    def extremes(self) -> tuple[float, float]:
        """Its bounds."""
        return self.low, self.high


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
