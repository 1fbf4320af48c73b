"""From one value to another as training goes on."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from recdistill.distill.schedules.contract import Feedback, Share, Timetable


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
