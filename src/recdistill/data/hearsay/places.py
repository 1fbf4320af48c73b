"""How many lists name what came next, what came after that, and so on, beside what skill explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
from jaxtyping import Int64

PLAUSIBLE: Final = 0.4
"""The share of lists of ten items that may name what comes next: a recommender of a whole catalogue is hardly right
more often. Of shorter lists it falls with the root of their length, to an eighth of lists of one item."""
PRECISE: Final = 0.6
"""The share of a list that may be right where so much is held out that all of it could be: of ten items, recommenders
of whole catalogues get four right where they do very well."""
_DEVIATIONS: Final = 2.0


@dataclass(frozen=True)
class Place:
    """Attributes:
    number: 1 for what was taken next, 2 for what was taken after that.
    checked: how many lists are about somebody who took so many.
    named: how many of them name it.
    expected: how many would without a leak, at most.
    leaks: whether that is a leak.
    """

    number: int
    checked: int
    named: int
    expected: float
    leaks: bool


@dataclass(frozen=True)
class Hits:
    """Attributes:
    checked: lists about somebody of whom something is held out.
    named: lists that name any of it.
    expected: how many would without a leak, at most.
    leaks: whether that, a place, or how much of them is right, is a leak.
    right: items in them that were held out, where several are.
    explained: how many would without a leak, at most.
    places: of what was held out, in the order in which it was taken; empty where one item is all there is of each.
    """

    checked: int
    named: int
    expected: float
    leaks: bool
    right: int
    explained: float
    places: tuple[Place, ...]


def hits(
    named: Sequence[Sequence[bool]], lengths: Int64[np.ndarray, " lists"], num_items: int
) -> Hits:
    """What lists name of what is held out.

    The next item has an expectation of its own, and so has each that came after it: who made lists of the answers
    need not have begun with the first. Of several places together, no more are found by chance than of one. And where
    much is held out, lists of some of it name no place often: there it is counted how much of them is right.

    Args:
        named: of each list, whether it names each item that was held out, in the order in which they were taken.
        lengths: of the lists.
        num_items: of the catalogue.
    """
    sizes = np.array([len(row) for row in named], dtype=np.int64)
    reached = [np.flatnonzero(sizes > at) for at in range(sizes.max(initial=0))]
    places = tuple(
        _place(
            at + 1,
            [named[row][at] for row in rows.tolist()],
            plausible(lengths[rows], num_items),
            len(reached),
        )
        for at, rows in enumerate(reached)
    )
    known = np.flatnonzero(sizes)
    chances = 1 - (1 - plausible(lengths[known], num_items)) ** sizes[known]
    naming, expected = sum(any(row) for row in named), float(chances.sum())
    many = naming > expected + _DEVIATIONS * sqrt((chances * (1 - chances)).sum())
    right, explained, precise = _precision(named, lengths, num_items)
    leaks = many or precise or any(one.leaks for one in places)
    several = places if len(places) > 1 else ()
    return Hits(len(known), naming, expected, leaks, right, explained, several)


def plausible(lengths: Int64[np.ndarray, " lists"], num_items: int) -> float:
    """The share of lists of these lengths that skill may let name an item, or twice what chance does."""
    length = float(lengths.mean()) if len(lengths) else 0.0
    return min(max(PLAUSIBLE * min(1.0, (length / 10) ** 0.5), 2 * length / num_items), 1.0)


def _precision(
    named: Sequence[Sequence[bool]], lengths: Int64[np.ndarray, " lists"], num_items: int
) -> tuple[int, float, bool]:
    """How many items of lists were held out, where several are; how many may be; and whether it is more."""
    rows = [row for row, held in enumerate(named) if len(held) > 1 and lengths[row] > 1]
    sizes = np.array([len(named[row]) for row in rows], dtype=np.float64)
    at_most = np.minimum(sizes, lengths[rows])
    share = np.maximum(PRECISE, np.minimum(2 * lengths[rows] * sizes / num_items / at_most, 1.0))
    right, explained = sum(sum(named[row]) for row in rows), float((share * at_most).sum())
    limit = explained + _DEVIATIONS * sqrt(float((share * (1 - share) * at_most).sum()))
    return right, explained, right > limit


def _place(number: int, named: Sequence[bool], share: float, of: int) -> Place:
    count, right, expected = len(named), sum(named), share * len(named)
    limit = expected + _deviations(of) * sqrt(expected * (1 - share))
    return Place(number, count, right, expected, right > limit)


def _deviations(tests: int) -> float:
    """Two for one test; for several so many that all together are no more often wrong (Bonferroni)."""
    normal = NormalDist()
    return -normal.inv_cdf(normal.cdf(-_DEVIATIONS) / tests)
