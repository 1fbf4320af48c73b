"""The verb: train a student by a recipe."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from recdistill.compression.pruning import goal
from recdistill.compression.settings import Structure
from recdistill.data.dataset import Dataset
from recdistill.distill.beginnings import begun
from recdistill.distill.correspondence import check_correspondence
from recdistill.distill.course import Course
from recdistill.distill.lookup import Lookup, lookups
from recdistill.distill.objectives import Objective
from recdistill.distill.recipe import Recipe
from recdistill.distill.rehearsal import rehearse
from recdistill.distill.scrutiny import scrutinise
from recdistill.errors import ConfigError
from recdistill.models.fitting import require_same_catalogue
from recdistill.models.outcomes import bases
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.signals import Expectation, Signals
from recdistill.signals.manifest import DatasetIdentity
from recdistill.teachers.base import weights_hash
from recdistill.training.log import TrainingLog
from recdistill.training.options import RunOptions, TrainingConfig

_log = logging.getLogger(__name__)


def distill(
    student: SequenceModel,
    dataset: Dataset,
    signals: Signals | None = None,
    recipe: Recipe | Sequence[Objective] | Mapping[str, Any] | None = None,
    training: TrainingConfig | None = None,
    run: RunOptions | None = None,
    teacher: Recommender | None = None,
) -> TrainingLog:
    """Train `student` by `recipe`, and leave it in its best validated state.

    The undistilled twin is the same call with the recipe `[NextItem()]`: same batches, same loop,
    same validation, same seed.

    Args:
        student: what learns; changed in place.
        dataset: its training events teach, its validation cases select.
        signals: what a teacher said; may be left out when no term needs a teacher.
        recipe: a `Recipe`, its objectives, or plain data; `None` is `[NextItem()]`.
        training: hyper-parameters of the loop.
        run: where and how it runs; with a folder, training resumes after any interruption.
        teacher: the model of a teacher that terms ask inside the step (`of: teacher`, `of: member`).

    Returns:
        The learning curve with every term, plain and weighted, and the schedules' values.

    Raises:
        ConfigError: the recipe asks for what the teacher does not say, or compares what one of the two models
            does not have, before anything is trained.
        DataError: the student was made for another catalogue, or has heads for outcomes of which the log tells
            nothing.
        SignalError: the signals belong to another dataset, or teach nothing.
        pydantic.ValidationError: plain data is no recipe.
    """
    training, run = training or TrainingConfig(), run or RunOptions()
    recipe = Recipe() if recipe is None else Recipe.of(recipe)
    if recipe.auto:
        raise ConfigError(
            "`recipe: auto` is chosen by a run, which trains several students to choose.",
            "Use `recdistill run`, or give the recipe that a run chose (choice/choice.json).",
        )
    if recipe.epochs:
        training = training.model_copy(update={"epochs": recipe.epochs})
    require_same_catalogue(student, dataset)
    heard = _heard(dataset, signals, recipe)
    rehearse(recipe, student, teacher)
    for phase in recipe.course:
        if isinstance(phase.prune, Structure):
            goal(student, phase.prune)
    for model in (student.config, *(tutor.model for tutor in recipe.tutors)):
        bases(getattr(model, "outcomes", ()), dataset)
    student.dataset = dataset
    further = _identity(student, dataset, signals, recipe)
    if teacher and recipe.asks:
        further["asked"] = weights_hash(teacher)
    course = Course(student, dataset, heard, training, run, further, teacher)
    course = course.tutored(recipe.tutors)
    with begun(student, recipe, heard, teacher, run.seed):
        return course.take(recipe.course)


def _heard(dataset: Dataset, signals: Signals | None, recipe: Recipe) -> dict[str, Lookup]:
    """The signals that the recipe needs, checked in every way that does not need training."""
    teacher = f"teacher '{signals.teacher.name}'" if signals else "the teacher"
    recipe.check(signals.kinds if signals else {}, teacher)
    if signals is None:
        return {}
    about = DatasetIdentity(name=dataset.name, fingerprint=dataset.fingerprint)
    for kind in recipe.needs:
        Expectation(dataset=about).check(signals[kind].manifest, signals[kind].folder)
    heard = lookups(signals, dataset, recipe.needs)
    for lookup in heard.values():
        check_correspondence(lookup, dataset)
    terms = [term for phase in recipe.taught for term in phase.objectives]
    for advice in scrutinise(terms, heard):
        _log.warning(advice)
    return heard


def _identity(
    student: SequenceModel, dataset: Dataset, signals: Signals | None, recipe: Recipe
) -> dict[str, Any]:
    """What decides the result beside the training's own settings."""
    return {
        "model": student.get_config(),
        "dataset": dataset.fingerprint,
        "recipe": recipe.model_dump(mode="json"),
        "teacher": signals.teacher.digest if signals and recipe.needs else None,
    }
