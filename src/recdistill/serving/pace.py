"""How often each key may ask: a bucket of tokens that fills steadily."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """At most `burst` requests at once and `rate` a second in the long run, for each name by itself."""

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`rate` is in requests a second; 0 for no limit."""
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._levels: dict[str, tuple[float, float]] = {}

    def wait(self, name: str) -> float:
        """0 if `name` may ask now (which is counted); else the seconds until it may."""
        if not self._rate:
            return 0.0
        now = self._clock()
        level, at = self._levels.get(name, (self._burst, now))
        level = min(self._burst, level + (now - at) * self._rate)
        allowed = level >= 1.0
        self._levels[name] = (level - allowed, now)
        return 0.0 if allowed else (1.0 - level) / self._rate
