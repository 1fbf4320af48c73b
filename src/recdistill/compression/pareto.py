"""Which of several variants are worth having: nothing else is as good in all that counts, and better in some."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """One way to have a student.

    Attributes:
        name: what people call it.
        quality: greater is better.
        bytes: what it takes to store.
        seconds: what it takes to answer.
    """

    name: str
    quality: float
    bytes: int
    seconds: float

    @property
    def costs(self) -> tuple[float, float, float]:
        """What is to be low; sizes and times as logarithms, since ratios are what matters of them."""
        return -self.quality, math.log(self.bytes), math.log(self.seconds)


def front(variants: Sequence[Variant]) -> list[Variant]:
    """Those that no other is ahead of, in the order given; equals all stay."""
    return [one for one in variants if not any(_ahead(other, one) for other in variants)]


def knee(found: Sequence[Variant]) -> Variant | None:
    """Of a `front` the one nearest to the best of all three at once, each counted from 0 (its best there) to 1 (its
    worst); of equals the first. `None` of an empty front."""
    if not found:
        return None
    columns = list(zip(*(one.costs for one in found), strict=True))
    lows, spans = [min(one) for one in columns], [max(one) - min(one) for one in columns]

    def distance(one: Variant) -> float:
        pairs = zip(one.costs, lows, spans, strict=True)
        return math.hypot(*((cost - low) / span if span else 0.0 for cost, low, span in pairs))

    return min(found, key=distance)


def beyond(
    variants: Sequence[Variant], reference: Variant, tolerance: float
) -> list[tuple[Variant, float]]:
    """Those that lose more than `tolerance` of the quality of `reference`, with the share that they lose."""
    lost = ((one, 1 - one.quality / reference.quality) for one in variants)
    return [(one, share) for one, share in lost if share > tolerance]


def _ahead(one: Variant, other: Variant) -> bool:
    pairs = list(zip(one.costs, other.costs, strict=True))
    return all(mine <= theirs for mine, theirs in pairs) and one.costs != other.costs
