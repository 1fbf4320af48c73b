"""Which of several variants are worth having: nothing else is as good in all that counts, and better in some."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_ALIKE = 1.1
"""Times of a ratio up to this are not told apart: that much the machine's other work makes of one and the same."""


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
    """Those that no other is ahead of, in the order given; equals all stay.

    One is ahead of another that is no better in anything, and worse in something; times count where they differ by
    more than a tenth.
    """
    return [one for one in variants if not any(_ahead(other, one) for other in variants)]


def knee(found: Sequence[Variant]) -> Variant | None:
    """Of a `front` the one that bulges farthest from the plane through the ends; of equals the smaller.

    Each cost is counted from 0 (the best of the front) to 1 (its worst). Of the distances to the plane on which these
    add up to what they do at the ends, the greatest is where the sum is least: with two costs, the greatest distance
    from the chord between the ends (Das 1999, "On characterizing the “knee” of the Pareto curve"; Kneedle looks for
    the same point: Satopää et al. 2011). Beyond it, each further saving costs more than it gives. `None` of an
    empty front.
    """
    if not found:
        return None
    columns = list(zip(*(one.costs for one in found), strict=True))
    lows, spans = [min(one) for one in columns], [max(one) - min(one) for one in columns]

    def total(one: Variant) -> float:
        pairs = zip(one.costs, lows, spans, strict=True)
        return sum((cost - low) / span if span else 0.0 for cost, low, span in pairs)

    # With two points on the front there is no bulge: what is on it is bearable, so the smaller is taken.
    return min(found, key=lambda one: (round(total(one), 9), one.bytes))


def _ahead(one: Variant, other: Variant) -> bool:
    quicker = one.seconds * _ALIKE < other.seconds
    slower = one.seconds > other.seconds * _ALIKE
    pairs = list(zip(one.costs[:2], other.costs[:2], strict=True))
    as_good = all(mine <= theirs for mine, theirs in pairs) and not slower
    return as_good and (quicker or any(mine < theirs for mine, theirs in pairs))
