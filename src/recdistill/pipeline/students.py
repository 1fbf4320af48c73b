"""The arms of a comparison: students taught by a recipe, and their twin that never heard of a teacher."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill import teachers
from recdistill.config.tree import RunConfig
from recdistill.data.dataset import Dataset
from recdistill.distill import distill
from recdistill.distill.course import MODEL, OWN_SIGNALS, TUTORS
from recdistill.distill.initialise import TeacherInit
from recdistill.distill.recipe import Recipe
from recdistill.files import content_hash, file_sha256, read_json, write_json
from recdistill.models.item_encoders import IdItems
from recdistill.models.outcomes import bases
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.models.registry import model_class
from recdistill.pipeline import item_features
from recdistill.training.log import TrainingLog
from recdistill.training.options import RunOptions, TrainingConfig

if TYPE_CHECKING:
    from recdistill.signals.collection import Signals

LOG = "training.json"
STUDENT, TWIN = "student", "student-without-distillation"
"""The folders of both arms of a run."""


@dataclass(frozen=True)
class Arm:
    """One side of a comparison.

    Attributes:
        title: what people call it.
        folder: where its students lie, inside the run.
        recipe: how they learn.
        distilled: whether they may hear the teacher.
        share: how much of the training's epochs they take.
        rate: their learning rate, as a multiple of the training's.
    """

    title: str
    folder: str
    recipe: Recipe
    distilled: bool = True
    share: float = 1.0
    rate: float = 1.0

    @property
    def former(self) -> str:
        """Where an earlier run keeps the students from which these go on: the distilled ones, or their twins."""
        return STUDENT if self.distilled else TWIN

    def epochs(self, planned: int) -> int:
        """How many epochs that are where training has `planned` them; one at least."""
        return max(1, round(self.share * (self.recipe.epochs or planned)))

    def paced(self, training: TrainingConfig) -> TrainingConfig:
        """The training at this arm's rate; all else as it was."""
        if self.rate == 1.0:
            return training
        rate = float(f"{training.optimizer.learning_rate * self.rate:.6g}")
        optimizer = training.optimizer.model_copy(update={"learning_rate": rate})
        return training.model_copy(update={"optimizer": optimizer})


def distilled(recipe: Recipe) -> Arm:
    """The students of a run."""
    return Arm("student", STUDENT, recipe)


def technique(name: str, recipe: Recipe) -> Arm:
    """The students of one of several techniques."""
    return Arm(name, f"students/{name}", recipe)


def trial(name: str, recipe: Recipe, share: float) -> Arm:
    """A student that shows in a `share` of the epochs what a recipe is worth."""
    return Arm(f"trial {name}", f"trials/{name}", recipe, share=share)


def final(name: str, recipe: Recipe) -> Arm:
    """A student that shows in full what a recipe is worth."""
    length = f"-e{recipe.epochs}" if recipe.epochs else ""
    return Arm(f"final {name}{length}", f"finals/{name}{length}", recipe)


def undistilled(recipe: Recipe) -> Arm:
    """The twins of students that learn by `recipe`."""
    return Arm("student without distillation", TWIN, recipe.untaught(), distilled=False)


@dataclass(frozen=True)
class Trained:
    """A student of one seed, as its stage left it.

    Attributes:
        model: the student.
        log: how it learned.
        identity: a hash of what it learned.
        tutors: those it heard, by name.
    """

    model: Recommender
    log: TrainingLog
    identity: str
    tutors: Mapping[str, SequenceModel] = field(default_factory=dict[str, SequenceModel])


@dataclass(frozen=True)
class Students:
    """Every seed of both arms."""

    student: list[Trained]
    twin: list[Trained]

    @property
    def best(self) -> Trained:
        """The distilled student with the best validation; of equals the first."""
        return max(self.student, key=lambda trained: trained.log.best or float("-inf"))


def require_outcomes(config: RunConfig, dataset: Dataset) -> None:
    """Refuse heads of which the log tells nothing, before a teacher is trained.

    Raises:
        DataError: naming them.
    """
    tutors = (tutor.model for tutor in config.recipe.tutors)
    for model in (config.student, *tutors):
        bases(getattr(model, "outcomes", ()), dataset)


def train(
    config: RunConfig,
    dataset: Dataset,
    signals: Signals | None,
    arm: Arm,
    folder: Path,
    run: RunOptions,
    teacher: Recommender | None = None,
    features: Path | None = None,
    start: Recommender | None = None,
) -> None:
    """Train one student into `folder`; interrupted, it goes on from the checkpoints in there.

    With a `start`, a student of an earlier run, it begins with what that one knew.
    """
    student = _begun(start, config, dataset, features, run)
    epochs = arm.epochs(config.training.epochs)
    training = arm.paced(config.training).model_copy(update={"epochs": epochs})
    recipe = arm.recipe.model_copy(update={"epochs": None})  # counted above
    if start and not _inherits(recipe, student):
        recipe = recipe.model_copy(update={"init": None})
    log = distill(student, dataset, signals, recipe, training, run, teacher)
    student.save(folder / MODEL)
    write_json(folder / LOG, log.to_dict())
    clear_checkpoints(folder)


def besides(recipe: Recipe, features: Path | None) -> list[str]:
    """Hashes of what decides a student and lies outside of the dataset: what its items are made from, and what
    teachers of phases read."""
    made = [item_features.identity(features)] if features else []
    return [*made, *(found for who in recipe.engaged for found in teachers.besides(who))]


def _begun(
    start: Recommender | None,
    config: RunConfig,
    dataset: Dataset,
    features: Path | None,
    run: RunOptions,
) -> SequenceModel:
    """A student before it learns: a new one, or that of an earlier run for the catalogue of now."""
    if start:
        return item_features.warm(start, dataset, features, run.seed)
    settings = config.student.model_dump(mode="json", exclude={"kind"})
    kind = model_class(config.student.kind)
    student = kind.for_dataset(dataset, seed=run.seed, **settings)
    assert isinstance(student, SequenceModel)
    if features:
        item_features.put(features, student)
    return student


def _inherits(recipe: Recipe, student: SequenceModel) -> bool:
    """Whether a student that goes on still takes something over: what its items are made of, which its teacher may
    say otherwise now. Everything else that it began with is in its weights."""
    return isinstance(recipe.init, TeacherInit) and not isinstance(
        student.network.get_submodule("items"), IdItems
    )


def load(folder: Path, dataset: Dataset) -> Trained:
    """What `train` left in `folder`."""
    model = Recommender.load(folder / MODEL)
    model.dataset = dataset
    files = sorted(path for path in (folder / MODEL).rglob("*") if path.is_file())
    return Trained(
        model,
        TrainingLog.from_dict(read_json(folder / LOG)),
        content_hash([file_sha256(path) for path in files]),
        {path.parent.name: _tutor(path) for path in sorted(folder.glob(f"{TUTORS}/*/{MODEL}"))},
    )


def copy(made: Path, folder: Path) -> None:
    """Take over a student that another stage of the same key made, whatever an interruption left in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder)


def _tutor(folder: Path) -> SequenceModel:
    model = Recommender.load(folder)
    assert isinstance(model, SequenceModel)
    return model


def clear_checkpoints(folder: Path) -> None:
    """Drop what is no longer needed, now that what it led to is saved."""
    for name in ("checkpoints", OWN_SIGNALS):
        for left in list(folder.rglob(name)):
            shutil.rmtree(left)
