"""Uphill one coordinate at a time, on a budget: the search where every measurement costs a training.

Coordinate search after Hooke & Jeeves (1961, "Direct search solution of numerical and statistical problems"): a
move is repeated while it helps, then the next coordinate's turn comes. Long strides first and short ones later are
two coordinates of one quantity. It never asks about a point twice.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

Place = TypeVar("Place", bound=Hashable)


def climb(
    start: Place,
    coordinates: Iterable[Iterable[Callable[[Place], Place]]],
    trials: int,
    measure: Callable[[Place], float],
) -> dict[Place, float]:
    """What was tried, in the order of trial; at most `trials` places.

    On a slope without side peaks that differs from stride to stride by more than its noise, a coordinate of two
    directions ends less than a stride from the top.

    Args:
        start: where to begin.
        coordinates: each the directions one can go in, the most telling coordinate first; without end if there is
            always somewhere new to go. A move that is not possible gives back the place it was given.
        trials: how many places may be measured, the first included.
        measure: what a place is worth; greater is better.
    """
    tried = {start: measure(start)}

    def better(place: Place) -> bool:
        """Whether it is the best so far; `False` for everything once nothing may be tried any more."""
        if place in tried or len(tried) >= trials:
            return False
        reached = max(tried.values())
        tried[place] = measure(place)
        return tried[place] > reached

    for directions in coordinates:
        if len(tried) >= trials:
            break
        for move in directions:
            # Where one direction helped, the other need not be looked at.
            moved = False
            while better(move(best(tried))):
                moved = True
            if moved:
                break
    return tried


def best(tried: Mapping[Place, float]) -> Place:
    """The best place; of equals the first."""
    return max(tried, key=lambda place: tried[place])


def ranked(tried: Mapping[Place, float]) -> list[Place]:
    """Every place, best first; of equals the first tried."""
    return sorted(tried, key=lambda place: -tried[place])
