"""What of a recipe can be tuned without knowing it: how loud, how soft, under which dropout, at which rate.

A comparison of techniques is fair when each was tuned alike (Ferrari Dacrema et al. 2019, "Are we really making much
progress?": baselines that nobody tuned explain much of what was reported as progress). So the coordinates are those
that techniques have in common, and the undistilled student has the last two as well. Each is a factor on what is
written, in steps of its own; once no step helps, half a step may, so that whoever has fewer coordinates looks at
them more closely and everybody spends the same number of trials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import count
from typing import Any, TypeVar

from pydantic import Field, PositiveInt

from recdistill.distill.heads import Served
from recdistill.distill.objectives import Objective
from recdistill.distill.phases import Terms
from recdistill.distill.recipe import Recipe
from recdistill.distill.schedules import times
from recdistill.settings import Settings

FACTORS = {"weights": 3.0, "temperature": 2.0, "dropout": 1.7, "rate": 2.0}
"""By how much a step changes each."""
_SAID = {"rate": "learning rate"}
_MOST_DROPOUT = 0.9
Part = TypeVar("Part", bound=Terms)


class Budget(Settings):
    """How much every technique, and the undistilled student, may be tuned."""

    trials: PositiveInt
    """Trainings with the first seed, judged on validation; the first is the recipe as written. The best and that are
    trained in full besides."""
    share: float = Field(default=0.25, gt=0, le=1)
    """How much of the epochs a trial takes."""


@dataclass(frozen=True)
class Adjustment:
    """A recipe's neighbour: how many steps it is away from what is written.

    Attributes:
        weights: of the terms that the undistilled student lacks, all alike.
        temperature: of those terms, where they have one.
        dropout: of the student while it learns.
        rate: of learning.
    """

    weights: float = 0.0
    temperature: float = 0.0
    dropout: float = 0.0
    rate: float = 0.0

    def factor(self, name: str) -> float:
        """What is written times this."""
        return FACTORS[name] ** getattr(self, name)

    @property
    def moved(self) -> tuple[str, ...]:
        """What is not as written."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name))

    @property
    def name(self) -> str:
        """What its folder is called."""
        steps = (f"{name}{getattr(self, name):+g}" for name in self.moved)
        return "_".join(steps) or "as-written"

    def __str__(self) -> str:
        """What people read."""
        told = (f"{_SAID.get(name, name)} ×{self.factor(name):.2g}" for name in self.moved)
        return ", ".join(told) or "as written"

    def of(self, recipe: Recipe, dropout: float) -> Recipe:
        """The recipe so adjusted, for a student of this `dropout`; the rate is none of its business."""
        if recipe.phases:
            phases = tuple(self._terms(phase, dropout) for phase in recipe.phases)
            return recipe.model_copy(update={"phases": phases})
        return self._terms(recipe, dropout)

    def _terms(self, part: Part, dropout: float) -> Part:
        changes: dict[str, Any] = {}
        if self.weights or self.temperature:
            changes["objectives"] = tuple(map(self._term, part.objectives))
        if self.dropout:
            changes["dropout"] = round(self.factor("dropout") * _dropout(part, dropout), 4)
        return part.model_copy(update=changes)

    def _term(self, term: Objective) -> Objective:
        if not _added(term):
            return term
        changes = {"weight": times(term.weight, self.factor("weights"))}
        if _warms(term):
            warmth = getattr(term, "temperature")  # noqa: B009
            changes["temperature"] = times(warmth, self.factor("temperature"))
        return term.model_copy(update=changes)


Move = Callable[[Adjustment], Adjustment]


def coordinates(recipe: Recipe, dropout: float) -> Iterator[tuple[Move, Move]]:
    """Both directions of everything that can be tuned of a recipe for a student of this `dropout`, the most telling
    first; then the same in half steps, quarter steps and so on without end."""
    names = [name for name, tunable in _TUNABLE.items() if tunable(recipe, dropout)]
    for halvings in count():
        for name in names:
            stride = 0.5**halvings
            # Students with dropout rather need less of it beside a teacher; all else is raised first.
            up, down = _by(name, stride, recipe, dropout), _by(name, -stride, recipe, dropout)
            yield (down, up) if name == "dropout" else (up, down)


def _by(name: str, steps: float, recipe: Recipe, dropout: float) -> Move:
    most = max(_dropout(part, dropout) for part in _parts(recipe))

    def move(place: Adjustment) -> Adjustment:
        moved = replace(place, **{name: getattr(place, name) + steps})
        too_much = name == "dropout" and most * moved.factor("dropout") > _MOST_DROPOUT
        return place if too_much else moved

    return move


def _weighs(recipe: Recipe, dropout: float) -> bool:
    """Whether some terms can be heard louder than others; the scale of all of them says nothing."""
    kinds = [{_added(term) for term in part.objectives} for part in _parts(recipe)]
    return {True, False} in kinds


def _soft(recipe: Recipe, dropout: float) -> bool:
    return any(_added(term) and _warms(term) for part in _parts(recipe) for term in part.objectives)


def _drops(recipe: Recipe, dropout: float) -> bool:
    return any(_dropout(part, dropout) > 0 for part in _parts(recipe))


def _always(recipe: Recipe, dropout: float) -> bool:
    return True


_TUNABLE = {"weights": _weighs, "dropout": _drops, "temperature": _soft, "rate": _always}
"""Whether a recipe has what can be tuned, the most telling first."""


def _parts(recipe: Recipe) -> tuple[Terms, ...]:
    return recipe.phases or (recipe,)


def _dropout(part: Terms, own: float) -> float:
    return own if part.dropout is None else part.dropout


def _added(term: Objective) -> bool:
    """Whether the undistilled student lacks it."""
    return term.taught or getattr(term, "head", Served()) != Served()


def _warms(term: Objective) -> bool:
    return "temperature" in term.knobs(0.0, {})
