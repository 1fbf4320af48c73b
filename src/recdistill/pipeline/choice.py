"""`recipe: auto` made good: look at the teacher, try, choose, and never end below the undistilled student.

Everything is judged on validation. The undistilled twin and the best point, once for the planned epochs and once for
half of them, are trained with the first seed before the choice stands; the run takes over the twin and the one chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill.config.agreement import FREE
from recdistill.distill.auto import Auto, Point, search
from recdistill.distill.climbing import ranked
from recdistill.distill.lookup import lookups
from recdistill.distill.objectives.temperatures import too_flat, too_sharp
from recdistill.distill.recipe import Recipe
from recdistill.errors import ConfigError
from recdistill.evaluation.protocol import examine
from recdistill.evaluation.significance import Interval, interval
from recdistill.files import write_json
from recdistill.models.item_encoders import VectorItemsConfig
from recdistill.pipeline import students as arms
from recdistill.pipeline.stages import Stage

if TYPE_CHECKING:
    from recdistill.pipeline.pipeline import Pipeline

CHOICE = "choice.json"
_ROWS = 1024
_METRIC = "ndcg@10"
_FINALISTS = 2
"""So many of the best points may be trained in full before the undistilled recipe is taken."""


def choose(pipeline: Pipeline, asked: Recipe) -> Path:
    """The file that tells what was tried and chosen for `asked.auto`."""
    from recdistill.pipeline.pipeline import stage_key

    assert asked.auto is not None
    key = stage_key(
        pipeline.dataset.fingerprint,
        pipeline.spoken(pipeline.signals),
        pipeline.config.model_dump(mode="json", include={"student", "training"}),
        asked.model_dump(mode="json", by_alias=True),
        *arms.besides(asked, pipeline.features),
    )
    name = f"choices/{asked.auto.weight:g}-{asked.auto.trials}-{asked.auto.share:g}"
    stage = Stage(name, key, lambda folder: _write(pipeline, asked, folder))
    return pipeline.stage(stage).folder / CHOICE


def _write(pipeline: Pipeline, asked: Recipe, folder: Path) -> None:
    auto = asked.auto
    assert auto is not None
    twin = pipeline.train(arms.undistilled(asked), 0)
    start, why = _start(pipeline, auto)
    tried = search(
        start,
        auto.trials,
        lambda point: _trial(pipeline, asked, point, auto.share),
        inherits=start.inherit,
    )
    finals = _finals(pipeline, asked, tried, twin)
    winner = max(finals, key=_ahead)
    stands = _ahead(winner) > 0
    recipe = Recipe.model_validate(winner[FREE]) if stands else asked.untaught()
    write_json(
        folder / CHOICE,
        {
            FREE: recipe.model_dump(mode="json", by_alias=True),
            "metric": f"{_METRIC} on validation",
            "start": why,
            "teacher": _against(pipeline, pipeline.teacher.recommender, twin),
            "undistilled": twin.log.best,
            "trials": [
                {"what": str(point), **asdict(point), "validation": value}
                for point, value in tried.items()
            ],
            "finals": finals,
            "distils": stands,
            "sentence": _sentence(winner, tried, stands),
        },
    )
    if pipeline.run.progress:
        pipeline.run.progress.say(_sentence(winner, tried, stands))


def _start(pipeline: Pipeline, auto: Auto) -> tuple[Point, str]:
    """Where the search begins, and why there."""
    signals, items = pipeline.signals, pipeline.config.student.items
    if "top-k" not in signals:
        raise ConfigError(
            "`recipe: auto` learns from soft labels, but the teacher is not asked for them.",
            "Add `{kind: top-k, k: 100}` to `signals`.",
        )
    logits = lookups(signals, pipeline.dataset, ["top-k"])["top-k"].sample(_ROWS)["logits"]
    made = isinstance(items, VectorItemsConfig) or pipeline.config.features is not None
    inherits = "item-vectors" in signals and not made
    heat, why = 1.0, "At temperature 1 the teacher is neither one-hot nor flat."
    if (warmer := too_sharp(logits, heat)) is not None:
        heat, why = warmer, f"At temperature 1 the teacher is one-hot; {warmer:.2g} suits it."
    elif (cooler := too_flat(logits, heat)) is not None:
        heat, why = cooler, f"At temperature 1 the teacher is flat; {cooler:.2g} suits it."
    return Point(auto.weight, float(f"{heat:.2g}"), inherits), why


def _trial(pipeline: Pipeline, asked: Recipe, point: Point, share: float) -> float:
    """Validation of a student that learned by a point for a share of the epochs."""
    if pipeline.run.progress:
        pipeline.run.progress.say(f"Trying {point}.")
    recipe = asked.heard(point, pipeline.config.student.dropout)
    arm = arms.trial(point.name, recipe, share)
    return pipeline.train(arm, 0).log.best or 0.0


def _finals(
    pipeline: Pipeline, asked: Recipe, tried: Mapping[Point, float], twin: arms.Trained
) -> list[dict[str, Any]]:
    """The best point, learned for every length; where none is ahead of the twin, the second best too."""
    found: list[dict[str, Any]] = []
    for point in ranked(tried)[:_FINALISTS]:
        heard = asked.heard(point, pipeline.config.student.dropout)
        for recipe, length in _lengths(heard, pipeline.config.training.epochs):
            found.append(_final(pipeline, f"{point}{length}", point.name, recipe, twin))
        if max(map(_ahead, found)) > 0:
            break
    return found


def _lengths(recipe: Recipe, training: int) -> list[tuple[Recipe, str]]:
    """A recipe for the epochs that are planned and for half of them, and what to say of that."""
    planned = recipe.epochs or training
    half = recipe.model_copy(update={"epochs": planned // 2})
    shorter = [(half, f", learned in {planned // 2} of {planned} epochs")] if planned > 1 else []
    return [(recipe, ""), *shorter]


def _final(
    pipeline: Pipeline, what: str, name: str, recipe: Recipe, twin: arms.Trained
) -> dict[str, Any]:
    """A recipe whose student was trained to the end with the first seed, beside the twin of that seed."""
    trained = pipeline.train(arms.final(name, recipe), 0)
    return {
        "what": what,
        FREE: recipe.model_dump(mode="json", by_alias=True),
        "epochs": len(trained.log.epochs),
        "validation": trained.log.best,
        "difference": _against(pipeline, trained.model, twin),
    }


def _ahead(final: Mapping[str, Any]) -> float:
    """How far it is ahead of the twin."""
    return final["difference"]["mean"]


def _against(pipeline: Pipeline, model: Any, twin: arms.Trained) -> dict[str, float]:
    """A model minus the twin on validation, with its 95 % interval over users."""
    config = pipeline.config.evaluation.model_copy(update={"metrics": (_METRIC,)})
    dataset = pipeline.dataset
    found = examine(
        {"model": model, "twin": twin.model}, dataset, dataset.valid, "valid", config=config
    )
    draws = found.draws["model", _METRIC] - found.draws["twin", _METRIC]
    (metric,) = found.metrics
    mean = found.value("model", metric) - found.value("twin", metric)
    difference: Interval = interval(mean, draws, config.confidence)
    return asdict(difference)


def _sentence(winner: Mapping[str, Any], tried: Mapping[Point, float], stands: bool) -> str:
    difference = winner["difference"]
    bounds = f"{difference['low']:+.4f} … {difference['high']:+.4f}"
    if not stands:
        return (
            f"Auto chose not to distil: the best of {len(tried)} trials ({winner['what']}) is no better on "
            f"validation than the undistilled student ({difference['mean']:+.4f} {_METRIC}, {bounds})."
        )
    doubt = "" if difference["low"] > 0 else "; within noise"
    return (
        f"Auto chose {winner['what']}: {difference['mean']:+.4f} {_METRIC} on validation over the undistilled "
        f"student ({bounds}{doubt}), the best of {len(tried)} trials."
    )
