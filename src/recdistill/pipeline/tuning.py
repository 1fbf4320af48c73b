"""Every entrant of a contest tuned on validation, on one budget.

Short trials like what learns fast, such as little dropout, better than what is best in the end. So the best trial's
recipe has to beat the recipe as written once more, both trained in full with the first seed, before it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from recdistill.config.agreement import FREE
from recdistill.distill.climbing import best, climb
from recdistill.distill.recipe import Recipe
from recdistill.distill.tuning import Adjustment, Budget, coordinates
from recdistill.pipeline.students import Arm

if TYPE_CHECKING:
    from recdistill.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class Tuned:
    """An entrant as validation likes it best.

    Attributes:
        arm: how its students learn.
        record: what was chosen and tried, as plain data; `None` where nothing was.
    """

    arm: Arm
    record: Mapping[str, Any] | None = None


def tune(pipeline: Pipeline, arm: Arm, name: str, budget: Budget) -> Tuned:
    """The best neighbour of an arm's recipe on validation.

    Trials and finals are stages, `trials/NAME/…` and `finals/NAME/…`; the final that stands is taken over by the
    students of the contest.
    """
    recipe, dropout = arm.recipe, pipeline.config.student.dropout

    def adjusted(place: Adjustment) -> Arm:
        return replace(arm, recipe=place.of(recipe, dropout), rate=place.factor("rate"))

    def measure(place: Adjustment, kind: str, share: float) -> float:
        title, folder = f"{kind} of {arm.title}: {place}", f"{kind}s/{name}/{place.name}"
        if pipeline.run.progress:
            pipeline.run.progress.say(f"A {title}.")
        attempt = replace(adjusted(place), title=title, folder=folder, share=share)
        return pipeline.train(attempt, 0).log.best or 0.0

    written = Adjustment()
    tried = climb(
        written,
        coordinates(recipe, dropout),
        budget.trials,
        lambda place: measure(place, "trial", budget.share),
    )
    finals = {place: measure(place, "final", arm.share) for place in (best(tried), written)}
    chosen = best(finals)
    record = {"chosen": str(chosen), "trials": _listed(tried), "finals": _listed(finals)}
    return Tuned(adjusted(chosen), record)


def _listed(values: Mapping[Adjustment, float]) -> list[dict[str, Any]]:
    return [{"what": str(place), "validation": value} for place, value in values.items()]


def within(recipe: Recipe, budget: Budget) -> Recipe:
    """A recipe whose own search keeps to the budget of the others."""
    if recipe.auto is None:
        return recipe
    return recipe.model_copy(update={"auto": recipe.auto.model_copy(update=dict(budget))})


def searched(choice: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a recipe that was chosen by a search of its own."""
    told = {
        part: [{key: one[key] for key in ("what", "validation")} for one in choice[part]]
        for part in ("trials", "finals")
    }
    return {"chosen": _in_short(choice), **told}


def _in_short(choice: Mapping[str, Any]) -> str:
    if not choice["distils"]:
        return "not to distil"
    recipe = Recipe.model_validate(choice[FREE])
    heard = next(term for term in recipe.objectives if term.taught).knobs(0.0, {})
    begun = ", begun from the teacher's items" if recipe.init else ""
    length = f", {recipe.epochs} epochs" if recipe.epochs else ""
    return f"weight {heard['weight']:.3g}, temperature {heard['temperature']:.3g}{begun}{length}"
