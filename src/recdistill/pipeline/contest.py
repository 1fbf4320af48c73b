"""A contest of techniques: one dataset, one teacher and what it said, one twin, and students of every recipe.

Everything but the recipe is shared, and made by the very stages of a run: a technique that is added, or
changed, costs its own students and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill.config.agreement import load_agreeing
from recdistill.distill.recipe import Recipe
from recdistill.distill.scrutiny import advice
from recdistill.distill.tuning import Budget
from recdistill.errors import ConfigError
from recdistill.evaluation import leaderboard as board
from recdistill.evaluation import roles
from recdistill.evaluation.protocol import evaluate
from recdistill.evaluation.report.leaderboard import save_leaderboard
from recdistill.files import read_json
from recdistill.pipeline import students as arms
from recdistill.pipeline.pipeline import Pipeline, stage_key
from recdistill.pipeline.run_folder import RunFolder
from recdistill.pipeline.stages import Stage
from recdistill.pipeline.tuning import Tuned, searched, tune, within
from recdistill.training.options import RunOptions

if TYPE_CHECKING:
    from recdistill.evaluation.evaluation import Evaluation

Seeds = list[arms.Trained]


class Contest:
    """Techniques by name, and the pipeline that makes what they share."""

    def __init__(
        self, pipeline: Pipeline, techniques: Mapping[str, Recipe], budget: Budget | None = None
    ) -> None:
        """The recipe of `pipeline` without its teacher is the twin's. Without a `budget` recipes stay as written."""
        self.pipeline = pipeline
        self._recipes = techniques
        self._budget = budget

    @cached_property
    def _entrants(self) -> dict[str, Tuned]:
        """The twin (by its role) and every technique (by its name); what is to be chosen or tuned is settled here."""
        twin = self._tuned(roles.TWIN, arms.undistilled(self.pipeline.config.recipe))
        return {roles.TWIN: twin, **{name: self._technique(name) for name in self._recipes}}

    def _technique(self, name: str) -> Tuned:
        recipe, budget = self._recipes[name], self._budget
        if not recipe.auto:
            return self._tuned(name, arms.technique(name, recipe))
        asked = within(recipe, budget) if budget else recipe
        chosen = arms.technique(name, self.pipeline.resolved(asked))
        return Tuned(chosen, searched(self.pipeline.chosen(asked)) if budget else None)

    def _tuned(self, name: str, arm: arms.Arm) -> Tuned:
        return tune(self.pipeline, arm, name, self._budget) if self._budget else Tuned(arm)

    @cached_property
    def students(self) -> dict[str, Seeds]:
        """Every seed of the twin (by its role) and of every technique (by its name)."""
        # Seed by seed: stopped half-way, this is a comparison of fewer seeds already.
        rounds = [
            {name: self.pipeline.train(one.arm, seed) for name, one in self._entrants.items()}
            for seed in range(self.pipeline.config.evaluation.seeds)
        ]
        return {name: [one[name] for one in rounds] for name in self._entrants}

    def judge(self) -> dict[str, Any]:
        """The content of `leaderboard.json`; the pages lie beside it."""
        settings = self.pipeline.config.evaluation.model_dump(mode="json")
        teacher = self.pipeline.teacher.identity().revision
        trained = {name: [one.identity for one in seeds] for name, seeds in self.students.items()}
        recipes = {name: self._entry(name).recipe for name in trained}
        key = stage_key(settings, teacher, trained, recipes, *self._tuning())
        folder = self.pipeline.stage(Stage("leaderboard", key, self._write)).folder
        return read_json(folder / "leaderboard.json")

    @property
    def page(self) -> Path:
        """Where the leaderboard can be read."""
        return self.pipeline.folder.path / "leaderboard" / "leaderboard.html"

    def _write(self, folder: Path) -> None:
        techniques = {name: self._entry(name, self._notes(name)) for name in self._recipes}
        content = board.leaderboard(
            self._evaluate(),
            techniques,
            self._entry(roles.TWIN),
            self._shared_seconds(),
            self._budget.model_dump() if self._budget else None,
        )
        save_leaderboard(folder, content)

    def _tuning(self) -> list[Any]:
        """What the pages say of tuning; nothing where nothing was tuned."""
        if not self._budget:
            return []
        records = {name: one.record for name, one in self._entrants.items()}
        return [self._budget.model_dump(), records]

    def _evaluate(self) -> Evaluation:
        models = {
            name if name == roles.TWIN else board.role(name): [one.model for one in seeds]
            for name, seeds in self.students.items()
        }
        pipeline = self.pipeline
        return evaluate(
            {roles.TEACHER: pipeline.teacher.recommender, **models},
            pipeline.dataset,
            config=pipeline.config.evaluation,
            progress=pipeline.run.progress,
        )

    def _entry(self, name: str, notes: tuple[str, ...] = ()) -> board.Entry:
        entrant, logs = self._entrants[name], [trained.log for trained in self.students[name]]
        recipe = entrant.arm.recipe.model_dump(mode="json", by_alias=True)
        return board.Entry(recipe, logs, notes, entrant.record)

    def _notes(self, name: str) -> tuple[str, ...]:
        recipe = self._entrants[name].arm.recipe
        return tuple(advice(recipe, self.pipeline.dataset, self.pipeline.signals))

    def _shared_seconds(self) -> dict[str, float]:
        outcomes = self.pipeline.outcomes
        return {name: outcomes[name].seconds for name in ("dataset", "teacher", "signals")}


def common_remainder(recipes: Mapping[str, Recipe]) -> Recipe:
    """What most recipes are without their teacher; of equally many, that of the first."""
    remainders = [recipe.untaught() for recipe in recipes.values()]
    return Counter(remainders).most_common(1)[0][0]


def open_contest(
    recipes: list[Path],
    into: Path,
    assignments: list[str],
    run: RunOptions,
    budget: Budget | None = None,
) -> Contest:
    """The contest of configuration files that differ in nothing but their recipe.

    A recipe that is the twin's own (such as that of a `base` of the others) is no technique and left out.

    Raises:
        ConfigError: one of them is wrong, two have one name, they differ in more than the recipe, no metric
            could rank them, or none is a technique.
    """
    configs = load_agreeing(recipes, assignments)
    shared = next(iter(configs.values()))
    board.deciding_metric(shared.evaluation)
    twin = common_remainder({name: config.recipe for name, config in configs.items()})
    techniques = {name: one.recipe for name, one in configs.items() if one.recipe != twin}
    if not techniques:
        raise ConfigError(
            f"{' and '.join(configs)} teach the student nothing but what the undistilled one learns.",
            "Give a configuration whose `recipe` has a term that hears a teacher.",
        )
    pipeline = Pipeline(shared.model_copy(update={"recipe": twin}), RunFolder(into), run)
    return Contest(pipeline, techniques, budget)
