"""A teacher as a stage: fitted once, kept in a folder, read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill.pipeline import students as arms
from recdistill.pipeline.stages import Outcome, Stage

if TYPE_CHECKING:
    from recdistill.data.dataset import Dataset
    from recdistill.pipeline.pipeline import Pipeline
    from recdistill.teachers import TeacherConfig
    from recdistill.teachers.base import RecommenderBacked
    from recdistill.training.options import RunOptions

Teach = Callable[["Dataset", "RunOptions"], "RecommenderBacked"]


def teaching(
    pipeline: Pipeline,
    name: str,
    settings: TeacherConfig,
    teach: Teach | None = None,
    origin: Sequence[Any] = (),
) -> Outcome:
    """Bring the stage of a teacher up to date.

    Args:
        pipeline: whose dataset it learns from.
        name: of the stage.
        settings: of the teacher.
        teach: gives the fitted teacher, where fitting it anew is not how it is come by.
        origin: what else decides, where `teach` is given.
    """
    from recdistill.pipeline.guarding import guarded
    from recdistill.teachers import make_teacher

    dataset = pipeline.dataset

    def fit(folder: Path) -> None:
        run = guarded(settings, dataset, pipeline.options(name, folder))
        found = (teach or make_teacher(settings).fit)(dataset, run)
        found.save(folder)
        arms.clear_checkpoints(folder)

    return pipeline.stage(Stage(name, teacher_key(dataset, settings, origin), fit))


def teacher_key(dataset: Dataset, settings: TeacherConfig, origin: Sequence[Any] = ()) -> str:
    """The key of a teacher's stage; `origin` is what else decides, of one that is not fitted anew."""
    from recdistill.pipeline.pipeline import stage_key
    from recdistill.teachers import besides
    from recdistill.teachers.base import decisive

    return stage_key(dataset.fingerprint, decisive(settings), *besides(settings), *origin)
