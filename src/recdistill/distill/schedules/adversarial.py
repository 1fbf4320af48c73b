"""A value that is learned against the student."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from recdistill.distill.schedules.contract import Feedback, Timetable


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
