"""Values with their uncertainty, read from the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.reading import TWIN, number, part


@dataclass(frozen=True)
class Interval:
    """A value and, where known, its 95 % interval."""

    mean: float
    low: float | None = None
    high: float | None = None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Low and high, when both are known."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def tone(self) -> str:
        """`better`, `worse`, `neutral` (no difference shown) or `unknown` (no interval)."""
        if self.bounds is None:
            return "unknown"
        low, high = self.bounds
        return "better" if low > 0 else "worse" if high < 0 else "neutral"

    def over(self, base: float) -> Interval:
        """The interval as a share of `base`."""
        low, high = self.bounds or (None, None)
        return Interval(
            self.mean / base,
            None if low is None else low / base,
            None if high is None else high / base,
        )

    def said(self, signed: bool = False) -> str:
        """The bounds as percentages, `+4 % to +20 %`; empty when unknown."""
        if self.bounds is None:
            return ""
        return " to ".join(wording.percent(bound, signed) for bound in self.bounds)


def interval(tree: Mapping[str, Any], *path: str) -> Interval | None:
    """The `{mean, low, high}` at `path`."""
    mean = number(tree, *path, "mean")
    if mean is None:
        return None
    return Interval(mean, number(tree, *path, "low"), number(tree, *path, "high"))


def uplift(metrics: Mapping[str, Any], metric: str) -> Interval | None:
    """Student minus twin, in the metric's own unit."""
    return interval(metrics, "uplift", metric)


def relative_uplift(metrics: Mapping[str, Any], metric: str) -> Interval | None:
    """Student minus twin as a share of the twin; `None` where the twin scores nothing.

    The share's own interval is taken where there is one: it also holds the uncertainty of the twin.
    """
    difference = uplift(metrics, metric)
    base = number(metrics, "models", TWIN, metric)
    if difference is None or base is None or base <= 0:
        return None
    found = part(metrics, "uplift", metric)
    low, high = number(found, "relative_low"), number(found, "relative_high")
    share = difference.over(base)
    return share if low is None or high is None else Interval(share.mean, low, high)


def model_value(metrics: Mapping[str, Any], model: str, metric: str) -> Interval | None:
    """A model's metric with its interval, where there is one."""
    mean = number(metrics, "models", model, metric)
    if mean is None:
        return None
    bounds = part(metrics, "intervals", model, metric)
    return Interval(mean, number(bounds, "low"), number(bounds, "high"))
