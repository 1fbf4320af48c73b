"""A number, the long way."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from recdistill.distill.schedules.contract import Feedback, Timetable


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
