"""One typed tree holds everything that decides a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from recdistill.compression.settings import Integers
from recdistill.config.compressing import WHOLE, CompressionConfig, Form
from recdistill.config.continuing import Continues
from recdistill.config.located import LocatedYaml
from recdistill.config.refusals import refusal
from recdistill.data.configuration import DatasetConfig
from recdistill.distill.recipe import Recipe
from recdistill.distill.rehearsal import rehearse
from recdistill.errors import ConfigError, nearest
from recdistill.evaluation.options import EvaluationConfig
from recdistill.models.item_encoders import IdItemsConfig, VectorItemsConfig
from recdistill.models.sasrec import SASRecConfig
from recdistill.models.students import StudentConfig
from recdistill.settings import Settings
from recdistill.signals.kinds import SignalKind
from recdistill.teachers import TeacherConfig, never_says
from recdistill.teachers.features import StudentFeatures
from recdistill.teachers.selecting import All, AnySelection
from recdistill.teachers.speech import LISTS
from recdistill.teachers.stand_in import hollow, stand_in
from recdistill.training.options import TrackerName, TrainingConfig


class AboutConfig(Settings):
    """What the bundle's card says in your words."""

    teacher_licence: str | None = None
    """Under what terms the teacher may be learned from."""
    data_licence: str | None = None
    """Under what terms the data may be used."""
    intended_use: str | None = None
    """What the student is for, and what not."""


class BundleConfig(Settings):
    """What leaves the building."""

    precision: Literal["float32", "float16", "int8"] = "float32"
    """In what numbers the exported student's weights are kept."""
    encoder: Integers | None = Field(default=None, exclude_if=lambda given: given is None)
    """Whether, and how, the products of its layers are computed in whole numbers: `{kind: dynamic}`."""
    checks: int = Field(default=1000, ge=1000)
    """Histories on which PyTorch and ONNX Runtime must agree."""
    index: bool = Field(default=True, exclude_if=lambda given: given)
    """Whether a large catalogue may have an index, if one finds nearly all and sooner than a scan of all items."""
    reasons: bool = Field(default=False, exclude_if=lambda given: not given)
    """Whether the teacher's reasons leave with it, where it gave any. They may tell in words what somebody took."""
    about: AboutConfig = Field(
        default=AboutConfig(), exclude_if=lambda given: given == AboutConfig()
    )
    """Licences and intended use, for the card."""
    student: str = Field(default=WHOLE, exclude_if=lambda given: given == WHOLE)
    """Which student leaves: `whole`, as it was trained, or one of `compression.students` by its name."""

    @property
    def form(self) -> Form:
        """How its numbers are stored."""
        return Form(precision=self.precision, encoder=self.encoder)


class RunConfig(Settings):
    """A whole run: data, teacher, signals, student, recipe, proof and bundle."""

    dataset: DatasetConfig
    teacher: TeacherConfig
    signals: tuple[SignalKind, ...] = Field(min_length=1)
    """What the teacher is asked."""
    select: AnySelection = Field(default=All(), exclude_if=lambda given: given == All())
    """About which contexts it is asked; all, unless every question costs."""
    student: StudentConfig = SASRecConfig()
    features: StudentFeatures | None = Field(default=None, exclude_if=lambda given: given is None)
    """What a student's `items` of the kind `vectors` (or `offset`) are made from: texts, or a file of vectors."""
    recipe: Recipe = Recipe()
    training: TrainingConfig = TrainingConfig()
    """Of the student, with and without distillation alike."""
    evaluation: EvaluationConfig = EvaluationConfig()
    bundle: BundleConfig = BundleConfig()
    compression: CompressionConfig | None = Field(
        default=None, exclude_if=lambda given: given is None
    )
    """Smaller students, and what may be lost by them; where it is given, no bundle that loses more leaves."""
    trackers: tuple[TrackerName, ...] = ("tensorboard",)
    """Where training curves go besides `log.jsonl`; they do not change the result."""
    continues: Continues | None = Field(default=None, exclude_if=lambda given: given is None)
    """The earlier run from which this one goes on, on a log that has grown."""


def load_config(path: Path, assignments: list[str]) -> RunConfig:
    """Read a configuration and apply `a.b=c` assignments.

    Raises:
        ConfigError: listing every problem with its line and the nearest valid name.
    """
    return parse_config(LocatedYaml.read(path).override(assignments))


def parse_config(source: LocatedYaml) -> RunConfig:
    """A configuration from YAML that remembers its lines."""
    try:
        config = RunConfig.model_validate(source.data)
    except ValidationError as error:
        raise refusal(error, RunConfig, source) from None
    _require_sayable(config)
    _require_filled(config)
    _require_smaller(config)
    # What the teacher is asked is known here, so a recipe that needs more fails before anything is trained.
    config.recipe.check({signal.kind: signal for signal in config.signals}, "the list `signals`")
    # So is what both models will be made of.
    if config.recipe.looks_inside:
        rehearse(config.recipe, hollow(config.student), stand_in(config.teacher))
    return config


def _require_sayable(config: RunConfig) -> None:
    """Refuse signals that the teacher will not be able to give, before it is trained."""
    never = never_says(config.teacher)
    for kind in [signal.kind for signal in config.signals]:
        if kind in never:
            raise ConfigError(
                f"The teacher cannot say '{kind}': an ensemble has vectors only with `combine: {{kind: mean}}`;"
                " who puts candidates in order has none.",
                f"Combine vectors by mean, or ask for {' and '.join(sorted(LISTS))} only, in the list `signals`.",
            )


def _require_filled(config: RunConfig) -> None:
    """Refuse a student whose items would be made from nothing, or from two things."""
    items = config.student.items
    if config.features is None:
        if isinstance(items, VectorItemsConfig):
            # `init` would fill the student, but its twin could not tell items apart: no comparison.
            raise ConfigError(
                "The student makes its items from `vectors`, but nothing says where those of its undistilled twin"
                " come from.",
                "Add `features: {kind: text}`, or `features: {kind: file, path: …}`. For the teacher's vectors as"
                " inputs use `items: {kind: ids}` with `init: {from: teacher, what: item-vectors, as: input}`.",
            )
    elif isinstance(items, IdItemsConfig):
        raise ConfigError(
            "There are `features`, but the student's items are free vectors and have no use for them.",
            "Use `student: {items: {kind: vectors, features: …}}`, or drop `features`.",
        )
    elif config.recipe.init:
        raise ConfigError(
            "Both `features` and the recipe's `init` say what the student's items are made from.",
            "Drop one of them.",
        )


def _require_smaller(config: RunConfig) -> None:
    """Refuse a bundle of a student that nobody makes, and smaller ones that cannot be made."""
    made = config.compression or CompressionConfig()
    names = [WHOLE, *made.students]
    if config.bundle.student not in names:
        raise ConfigError(
            f"No student is called '{config.bundle.student}'.",
            f"bundle.student: {nearest(config.bundle.student, names)}",
        )
    if config.compression is None or config.recipe.auto:
        return
    said = {signal.kind: signal for signal in config.signals}
    for name, reduction in made.students.items():
        recipe = reduction.after(config.recipe, config.training.epochs)
        recipe.check(said, f"the list `signals` (for the smaller student '{name}')")


def to_yaml(config: Settings) -> str:
    """A configuration with every default filled in."""
    data: dict[str, Any] = config.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
