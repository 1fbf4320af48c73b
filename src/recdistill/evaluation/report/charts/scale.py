"""From values to pixels, and round numbers for the axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from recdistill.evaluation.report.wording import Real


@dataclass(frozen=True)
class Scale:
    """A linear map of the values `low..high` onto the pixels `start..end`."""

    low: Real
    high: Real
    start: Real
    end: Real

    def __call__(self, value: Real) -> float:
        """The pixel of `value`."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def spanning(
    values: Iterable[Real], start: Real, end: Real, zero: bool = False, room: float = 0.06
) -> Scale:
    """A scale that holds every value with some `room` at both ends; with `zero`, zero too.

    No room is left below an honest zero: bars and dots of non-negative values start at the axis.
    """
    known = [*values, *([0.0] if zero else [])] or [0.0]
    low, high = min(known), max(known)
    spare = (high - low or abs(high) or 1.0) * room
    from_zero = zero and low == 0.0
    return Scale(low if from_zero else low - spare, high + spare, start, end)


def ticks(low: Real, high: Real, most: int = 5) -> list[float]:
    """At most `most` round values (1, 2 or 5 times a power of ten apart) within `low..high`.

    >>> ticks(0.0, 0.11, 4)
    [0.0, 0.05, 0.1]
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    # Ten powers are more than `rough` apart, so the last choice always leaves at most `most`.
    choices = (_multiples(low, high, factor * power) for factor in (1, 2, 5, 10))
    return next((found for found in choices if len(found) <= most), [])


def _multiples(low: Real, high: Real, step: float) -> list[float]:
    # A millionth of a step of grace: 0.3 / 0.1 is a little less than 3.
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [round(index * step, 12) for index in range(first, last + 1)]
