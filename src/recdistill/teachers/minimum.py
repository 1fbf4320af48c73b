"""The lowest point of a function with one valley."""

from __future__ import annotations

from collections.abc import Callable

_GOLDEN = (5**0.5 - 1) / 2


def lowest(function: Callable[[float], float], low: float, high: float, steps: int) -> float:
    """Where `function` is lowest between `low` and `high`, by golden sections (Kiefer 1953).

    Each of the `steps` costs one call and leaves 0.618 of the interval.
    """
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(steps):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2
