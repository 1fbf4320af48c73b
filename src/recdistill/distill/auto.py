"""`recipe: auto`: what to hear of a teacher, and how loudly, found by a small search that explains itself.

The space is small on purpose, since every point of it costs a training: soft labels (forward KL over the
teacher's list) beside the student's own terms, at some weight and temperature; the student's item vectors begun
from the teacher's or not; taught at the end of every history too, where nobody knows what came next, or not;
every context heard, or only those where the teacher was right. One coordinate is moved at a time, and as long as
that helps: weights by factors of nine and, once the others are settled, of three, so that a start that is off by
decades is no loss; temperatures by factors of two, from the temperature that makes the teacher neither one-hot nor
flat. A grid of the same reach (four weights, three temperatures, two of each other) would cost 96 trainings.

The louder the teacher, the less dropout: dropout = the student's own / √max(1, weight). Doubts regularise already,
and under the dropout that suits hard answers a student cannot follow a loud teacher: on Amazon Beauty, at weight 10,
validation NDCG@10 stays at .070 with dropout 0.5 and reaches .076 with 0.1.

How long a student learns so is settled last, at full length: with a loud teacher it may be done in half the time,
and then a rate that has come to its end is worth more than further epochs (ibid., .0756 after 16 epochs of their own
against .0750 of 36 that were stopped early). So the chosen point is trained for the planned epochs and for half of
them, and validation decides.

What a choice costs, in trainings of the planned epochs: at most trials × share + 1.5; 1.5 more where the best
point is no better than the undistilled student and the second best has its turn. The chosen student is among them.

Sources: published grids of the weight span an accuracy of .39 to .53 for one method (Kang et al. 2020, DE-RRD,
figures on λ), so the weight is searched, not guessed; the search is `climbing.climb`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field, PositiveFloat, PositiveInt

from recdistill.distill.climbing import best, climb
from recdistill.settings import Settings

FAR, NEAR, TEMPERATURES = 9.0, 3.0, 2.0
"""The factors by which weights move, at first and in the end, and temperatures."""


class Auto(Settings):
    """How far the search may go."""

    trials: PositiveInt = 8
    """Trainings that may be tried (the best is trained in full besides)."""
    share: float = Field(default=0.5, gt=0, le=1)
    """How much of the training's epochs a trial takes."""
    weight: PositiveFloat = 1.0
    """The weight of the teacher's term that the search begins with."""


@dataclass(frozen=True)
class Point:
    """One way to hear a teacher.

    Attributes:
        weight: of the soft labels beside the student's own terms.
        temperature: of the soft labels.
        inherit: whether the student's item vectors begin from the teacher's.
        unlabelled: whether it is heard at the end of every history too.
        gated: whether only contexts are heard in which the teacher was right.
    """

    weight: float
    temperature: float
    inherit: bool
    unlabelled: bool = False
    gated: bool = False

    @property
    def name(self) -> str:
        """What its folder is called."""
        marks = ["inherit"] * self.inherit + ["unlabelled"] * self.unlabelled
        marks += ["gated"] * self.gated
        return "-".join([f"w{self.weight:.3g}", f"t{self.temperature:.3g}", *marks])

    def __str__(self) -> str:
        """What people read."""
        parts = [f"soft labels of weight {self.weight:.3g} at temperature {self.temperature:.3g}"]
        parts += ["items that begin from the teacher's vectors"] * self.inherit
        parts += ["also where nobody knows the answer"] * self.unlabelled
        parts += ["only where the teacher was right"] * self.gated
        return ", ".join(parts)

    def dropout(self, own: float) -> float:
        """The dropout that suits a teacher so loud, for a student whose `own` suits hard answers."""
        return round(own / max(1.0, self.weight) ** 0.5, 3)

    def changes(self, dropout: float) -> dict[str, Any]:
        """The recipe's keys that it sets, as plain data, for a student of this `dropout`; `objectives` are to be
        added to the student's own."""
        term: dict[str, Any] = {
            "kind": "kl",
            "on": "top-k",
            "name": "soft-labels",
            "weight": self.weight,
            "temperature": self.temperature,
        }
        if self.gated:
            term["filters"] = [{"kind": "teacher-right"}]
        begins = {"init": {"from": "teacher", "what": "item-vectors"}} if self.inherit else {}
        further = {"dropout": self.dropout(dropout), "unlabelled": self.unlabelled}
        return {"objectives": [term], **further, **begins}


Measure = Callable[[Point], float]
"""Trains a student by a point and says how good it is on validation; greater is better."""
Move = Callable[[Point], Point]
"""A step along a coordinate."""


def search(start: Point, trials: int, measure: Measure, *, inherits: bool) -> dict[Point, float]:
    """What was tried, in the order of trial; at most `trials` points.

    Args:
        start: where to begin.
        trials: how many points may be measured.
        measure: what a point is worth.
        inherits: whether the student can begin from the teacher's item vectors at all.
    """
    known: dict[Point, float] = {}

    def noted(point: Point) -> float:
        known[point] = measure(point)
        return known[point]

    return climb(start, _coordinates(inherits, known), trials, noted)


def _coordinates(inherits: bool, known: Mapping[Point, float]) -> Iterator[tuple[Move, ...]]:
    """The directions of each coordinate, the most telling first."""
    yield _louder(FAR), _louder(1 / FAR)
    if inherits:
        yield (lambda point: replace(point, inherit=not point.inherit),)
    yield (lambda point: replace(point, unlabelled=not point.unlabelled),)
    yield _nearby(known)
    yield (
        lambda point: replace(point, temperature=point.temperature / TEMPERATURES),
        lambda point: replace(point, temperature=point.temperature * TEMPERATURES),
    )
    yield (lambda point: replace(point, gated=not point.gated),)


def _nearby(known: Mapping[Point, float]) -> tuple[Move, Move]:
    """Short strides of the weight, first to the side on which long ones lost less: the top is rather there."""
    at = best(known).weight
    louder = max((known[point] for point in known if point.weight > at), default=-math.inf)
    softer = max((known[point] for point in known if point.weight < at), default=-math.inf)
    up, down = _louder(NEAR), _louder(1 / NEAR)
    return (up, down) if louder > softer else (down, up)


def _louder(factor: float) -> Move:
    # Rounded, so that ways that meet are seen to meet.
    return lambda point: replace(point, weight=float(f"{point.weight * factor:.6g}"))
