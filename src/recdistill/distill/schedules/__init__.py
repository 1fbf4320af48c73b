"""Numbers that change while training goes on.

Weights and temperatures (and whatever else an objective wants to vary) are schedules: a plain
number, or one of the kinds below. A schedule is a function of how far training has come and of what
the last validation said, so that *progressive*, *dynamic* and *adaptive* distillation are values in
a recipe, not trainers.
"""

from __future__ import annotations

from recdistill.distill.schedules.adaptive import Adaptive
from recdistill.distill.schedules.adversarial import Adversarial
from recdistill.distill.schedules.constant import Constant
from recdistill.distill.schedules.contract import Feedback, Share, Timetable
from recdistill.distill.schedules.knobs import (
    Fraction,
    RivalTemperature,
    Scheduled,
    Temperature,
    Weight,
    Within,
)
from recdistill.distill.schedules.ramps import Cosine, Glide, Linear, Ramp, Step
from recdistill.distill.schedules.values import Schedule, extremes, times, value

__all__ = [
    "Adaptive",
    "Adversarial",
    "Constant",
    "Cosine",
    "Feedback",
    "Fraction",
    "Glide",
    "Linear",
    "Ramp",
    "RivalTemperature",
    "Schedule",
    "Scheduled",
    "Share",
    "Step",
    "Temperature",
    "Timetable",
    "Weight",
    "Within",
    "extremes",
    "times",
    "value",
]
