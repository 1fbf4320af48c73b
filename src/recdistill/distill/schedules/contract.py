"""What a schedule is: a function of how far training has come and of what the last validation said."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

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
