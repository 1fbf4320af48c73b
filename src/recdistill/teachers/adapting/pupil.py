"""A language model in the one loop of all trainings: what it was, what it becomes, and which of the two stays."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recdistill.files import atomic_folder, write_json
from recdistill.progress import SilentProgress
from recdistill.teachers.adapting import adapters
from recdistill.teachers.adapting.quiet import quiet
from recdistill.teachers.adapting.settings import Lora, ReaderAdaptConfig
from recdistill.teachers.adapting.trained import Trained
from recdistill.training.options import RunOptions
from recdistill.training.step import Batches, LossFunction
from recdistill.training.trainer import Trainer

ADAPTATION = "adaptation"
"""The folder of what a language model learned, beside what was learned from it."""
WEIGHTS, NOTES = "weights", "adaptation.json"


@dataclass(frozen=True)
class Lessons:
    """What is learned from, and how well it is learned.

    Attributes:
        batches: windows of the log.
        loss: what is lowered.
        measure: what is validated, the more the better; `None` without validation.
        identity: what decides the result beside the training's settings.
        measured: what people call it.
    """

    batches: Batches
    loss: LossFunction
    measure: Callable[[], float] | None
    identity: dict[str, Any]
    measured: str = "NDCG@10 by itself"


def _nothing(folder: Path) -> None:
    """Nothing belongs beside the files of most models."""


@dataclass(frozen=True)
class Pupil:
    """A language model that is to learn.

    Attributes:
        trained: the model, with what is frozen frozen.
        tokenizer: kept beside a model that becomes another.
        name: how the model is called without what it learns here.
        how: what of it is trained, and how.
        beside: writes what belongs beside the files of a whole model, for others to read with it.
    """

    trained: Trained
    tokenizer: Any
    name: str
    how: ReaderAdaptConfig
    beside: Callable[[Path], None] = _nothing

    def taught(self, lessons: Lessons, folder: Path, run: RunOptions) -> dict[str, Any]:
        """Train, and leave in `folder` what became of the model (`weights/`) and what there is to tell of it.

        Where validation liked it better as it was, no weights are left.
        """
        before = lessons.measure() if lessons.measure else None
        log = Trainer(self.how.training, run).fit(
            self.trained, lessons.batches, lessons.loss, lessons.measure, lessons.identity
        )
        count, of = self.trained.share
        better = before is None or log.best is None or log.best > before
        notes = {"plain": before, "adapted": log.best, "kept": better, "trained": count, "of": of}
        if better:
            self._save(folder / WEIGHTS)
        write_json(folder / NOTES, notes)
        if run.folder is not None:
            shutil.rmtree(run.folder / "checkpoints", ignore_errors=True)
        (run.progress or SilentProgress()).say(told(self.name, notes, lessons.measured))
        return notes

    def _save(self, folder: Path) -> None:
        with atomic_folder(folder) as staging, quiet():
            if isinstance(self.how, Lora):
                adapters.save(self.trained.model, staging, self.name)
                return
            self.trained.model.save_pretrained(staging)
            self.tokenizer.save_pretrained(staging)
            self.beside(staging)


def told(name: str, notes: dict[str, Any], measured: str) -> str:
    """What came of it, for people."""
    share = f"{notes['trained']:,} of {notes['of']:,} weights of {name} were trained"
    if notes["plain"] is None:
        return f"{share}; nothing was validated."
    found = f"{measured} went from {notes['plain']:.4f} to {notes['adapted']:.4f}"
    return f"{share}; {found}.{'' if notes['kept'] else ' It is used as it was.'}"


def home(run: RunOptions) -> Path:
    """Where what is learned is left: the run's folder, or one that goes when the process does."""
    if run.folder is not None:
        return run.folder
    folder = Path(tempfile.mkdtemp(prefix="recdistill-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
