"""A log of a few people and films whose titles are as awkward as real ones."""

from __future__ import annotations

TITLES = (
    "Matrix, The (1999)",
    "Amélie (Le fabuleux destin d'Amélie Poulain) (2001)",
    "Postino, Il (1994)",
    "Alien (1979)",
    "Aliens (1986)",
    "Hamlet (1990)",
    "Hamlet (1996)",
    "Chasing Amy (1997)",
    "Chasing Amy (1997)",
    "Romeo & Juliet",
    "Rocky II",
    "Rocky III",
    "1984",
    "Lost World: Jurassic Park, The (1997)",
    "Jurassic Park (1993)",
    "Heat (1995)",
    "Good, the Bad and the Ugly, The (1966)",
    "Die Hard (1988)",
)
"""Film `i` has the id `100 + i`."""
PEOPLE = {
    1: (100, 101, 102, 103, 104, 105),
    2: (103, 104, 107, 113, 114, 115),
    3: (115, 116, 117, 100, 110, 111),
    4: (101, 102, 107, 109, 112, 113),
}
"""What each took, oldest first; leave-one-out keeps four for training."""


def dense(*ids: int) -> list[int]:
    """Dense items are ids less 100."""
    return [one - 100 for one in ids]
