"""From one value to another as the student catches up."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, PositiveFloat

from recdistill.distill.schedules.contract import Feedback
from recdistill.distill.schedules.ramps import Ramp


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
