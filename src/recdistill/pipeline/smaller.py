"""The smaller students of a run, each made of one of its own, and the bundles that they would leave as."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill.bundle.bundle import Bundle
from recdistill.bundle.export import export
from recdistill.bundle.loading import load_bundle
from recdistill.config.compressing import WHOLE, CompressionConfig, Form
from recdistill.errors import BundleError, ConfigError
from recdistill.pipeline import students as arms
from recdistill.pipeline.hastening import share_in_time
from recdistill.pipeline.pipeline import stage_key
from recdistill.pipeline.stages import Stage

if TYPE_CHECKING:
    from recdistill.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class Leaving:
    """A student in one form.

    Attributes:
        student: its name, `whole` for the one that nothing was cut from.
        form: how its numbers are stored.
    """

    student: str
    form: Form

    @property
    def name(self) -> str:
        """Of both."""
        return f"{self.student}-{self.form.label}"


REFERENCE = Leaving(WHOLE, Form())
"""What nothing was done to."""


@dataclass(frozen=True)
class Smaller:
    """What a pipeline makes of its students."""

    pipeline: Pipeline

    @property
    def settings(self) -> CompressionConfig:
        """As configured, or what is tried where nothing is said."""
        return self.pipeline.config.compression or CompressionConfig()

    @property
    def all(self) -> list[Leaving]:
        """Every student in every form, the reference first."""
        names, forms = (WHOLE, *self.settings.students), self.settings.forms
        return list(
            dict.fromkeys([REFERENCE, *(Leaving(n, form) for n in names for form in forms)])
        )

    def students(self, name: str) -> list[arms.Trained]:
        """Every seed of one of them, in the same order.

        Raises:
            ConfigError: more seeds are asked for than students are trained, or a student cannot be pruned so.
        """
        asked, trained = self.settings.seeds, self.pipeline.config.evaluation.seeds
        if asked > trained:
            raise ConfigError(
                f"compression.seeds is {asked}, but only {trained} students are trained.",
                "Lower it, or raise evaluation.seeds.",
            )
        return [self._made[name, seed] for seed in range(asked)]

    @cached_property
    def _made(self) -> dict[tuple[str, int], arms.Trained]:
        # Seed by seed: stopped half-way, fewer seeds are whole already.
        return {
            (name, seed): one
            for seed in range(self.settings.seeds)
            for name, one in self._of_seed(seed)
        }

    def _of_seed(self, seed: int) -> Iterator[tuple[str, arms.Trained]]:
        pipeline, arm = self.pipeline, arms.distilled(self.pipeline.recipe)
        whole = pipeline.train(arm, seed)
        yield WHOLE, whole
        epochs = arm.epochs(pipeline.config.training.epochs)
        for name, reduction in self.settings.students.items():
            recipe = reduction.after(
                pipeline.recipe, epochs, share_in_time(pipeline, name, reduction)
            )
            smaller = arms.Arm(f"student {name}", f"smaller/{name}", recipe)
            yield name, pipeline.train(smaller, seed, after=whole)

    def bundles(self, leaving: Leaving) -> list[Bundle]:
        """Every seed of a student as it would leave in this form.

        Raises:
            BundleError: so it cannot leave.
        """
        students = enumerate(self.students(leaving.student))
        return [load_bundle(self._exported(leaving, one, seed)) for seed, one in students]

    def _exported(self, leaving: Leaving, student: arms.Trained, seed: int) -> Path:
        pipeline, how = self.pipeline, self.pipeline.config.bundle
        key = stage_key(
            leaving.form.model_dump(mode="json"), student.identity, how.checks, how.index
        )

        def write(folder: Path) -> None:
            export(
                student.model, pipeline.dataset, folder,
                precision=leaving.form.precision, encoder=leaving.form.encoder,
                checks=how.checks, index=how.index,
            )  # fmt: skip

        return pipeline.stage(Stage(f"forms/{leaving.name}/seed-{seed}", key, write)).folder


def writable(
    smaller: Smaller, forms: Iterable[Leaving]
) -> tuple[dict[str, list[Bundle]], dict[str, str]]:
    """The bundles of all forms that can leave, by name; and why the others cannot."""
    found: dict[str, list[Bundle]] = {}
    reasons: dict[str, str] = {}
    for one in forms:
        try:
            found[one.name] = smaller.bundles(one)
        except BundleError as error:
            reasons[one.name] = error.message
    return found, reasons
