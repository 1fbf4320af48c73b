"""The course of a training: its phases in order, each going on from the student that the last one left."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from recdistill.compression.compressing import compressed
from recdistill.compression.importance import Evidence
from recdistill.data.batches import TrainingBatches
from recdistill.data.dataset import Dataset
from recdistill.distill.aims import aimed
from recdistill.distill.companions import lend_features
from recdistill.distill.evidence import gathered, measured
from recdistill.distill.lookup import Lookup, lookups
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.phases import Assistant, Phase, Pupil, Terms, Tutor, epochs_of, kind_named
from recdistill.errors import ConfigError, nearest
from recdistill.models.foretelling import outcome_validation
from recdistill.models.outcomes import heads_of
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.models.sasrec import SASRec
from recdistill.models.transformer import ByteDropout
from recdistill.models.validation import validation
from recdistill.signals.kinds import SignalKind
from recdistill.teachers.base import RecommenderBacked
from recdistill.teachers.ensemble import TeacherConfig
from recdistill.teachers.labelling import label
from recdistill.teachers.loading import make_teacher
from recdistill.teachers.recommender import RecommenderTeacher
from recdistill.training.log import TrainingLog
from recdistill.training.loop import Validation
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.trainer import Trainer

TUTORS = "tutors"
"""Where tutors lie, each in a folder of its name."""
MODEL = "model"
"""Where in there what it learned is kept."""
OWN_SIGNALS = "own-signals"
"""Where a phase keeps what the student said to itself; of no use once it is trained."""


@dataclass(frozen=True)
class Course:
    """Everything that stays the same from phase to phase.

    Attributes:
        student: what learns; changed in place.
        dataset: what it learns from.
        heard: what the given teacher said, by kind.
        training: hyper-parameters; its epochs are shared among the phases.
        run: where and how it happens.
        further: what decides the result besides, as plain data.
        teacher: the given teacher's model, for terms that ask it inside the step.
        tutors: models trained for the purpose, for such terms too.
    """

    student: SequenceModel
    dataset: Dataset
    heard: Mapping[str, Lookup]
    training: TrainingConfig
    run: RunOptions
    further: Mapping[str, Any]
    teacher: Recommender | None = None
    tutors: Mapping[str, SequenceModel] = field(default_factory=dict[str, SequenceModel])

    def tutored(self, tutors: tuple[Tutor, ...]) -> Course:
        """The same with `tutors`, trained one after another, each in a folder of its own."""
        taught: dict[str, SequenceModel] = {}
        for tutor in tutors:
            folder = self.run.folder and self.run.folder / TUTORS / tutor.name
            name = f"{self.run.name}, tutor {tutor.name}"
            taught[tutor.name] = self._pupil(tutor, replace(self.run, folder=folder, name=name))
            if folder:
                taught[tutor.name].save(folder / MODEL)
        return replace(self, tutors=taught)

    def take(self, phases: tuple[Phase, ...]) -> TrainingLog:
        """Train through all `phases`; interrupted, the next call goes on in the phase that was under way.

        Raises:
            ConfigError: a phase cannot be trained, or an adaptive schedule has nothing to aim at.
        """
        heads_of(self.student.network).prepare(self.dataset)
        aim = cache(self._aim)
        phases = tuple(aimed(phase, aim) for phase in phases)
        fresh = {name: value.clone() for name, value in self.student.network.state_dict().items()}
        logs: list[TrainingLog] = []
        for number, phase in enumerate(phases):
            logs.append(self._train(phase, self._part(phases, number), fresh))
        return TrainingLog.joined(logs)

    def _aim(self) -> float:
        """What the given teacher reaches on validation."""
        judge = self.teacher and validation(self.teacher, self.dataset)
        if judge is None:
            raise ConfigError(
                "An adaptive schedule is to follow the student up to its teacher, but there is "
                f"{'no teacher to measure' if self.teacher is None else 'nothing to validate on'}.",
                "Write `target:` with the NDCG@10 that counts as caught up.",
            )
        return judge()

    def _part(self, phases: tuple[Phase, ...], number: int) -> Course:
        """One phase's epochs, folder and name."""
        epochs = epochs_of(phases, self.training.epochs)[number]
        if len(phases) == 1:
            return self
        run, place = self.run, f"phase {number + 1} of {len(phases)}"
        folder = run.folder and run.folder / f"phase-{number + 1}"
        return replace(
            self,
            training=self.training.model_copy(update={"epochs": epochs}),
            run=replace(run, folder=folder, name=f"{run.name}, {place}"),
            further={**self.further, "phase": number},
        )

    def _train(self, phase: Phase, part: Course, fresh: Mapping[str, torch.Tensor]) -> TrainingLog:
        with part.spoken(phase) as heard:
            if phase.anew:
                self.student.network.load_state_dict(fresh)
            with (
                compressed(
                    self.student,
                    phase.prune,
                    phase.quantise,
                    lambda: part._evidence(phase, heard),
                ),
                learning(self.student.network, phase.trains),
                dropping(self.student.network, phase.dropout),
            ):
                return part.fit(phase, heard)

    @contextmanager
    def spoken(self, phase: Phase) -> Generator[Mapping[str, Lookup]]:
        """What the phase's teacher says: the given one, the student as it is now, or another made for the purpose."""
        if phase.teacher == "given" or not phase.sources:
            yield self.heard
            return
        says: dict[str, SignalKind] = {name: heard.kind for name, heard in self.heard.items()}
        kinds = [kind_named(name, says) for name in sorted(phase.sources)]
        teacher = self._speaker(phase.teacher)
        with _folder(self.run.folder) as folder:
            signals = label(teacher, self.dataset, folder, kinds, self.run.progress)
            yield lookups(signals, self.dataset, phase.sources)

    def _speaker(self, who: Assistant | TeacherConfig | Literal["itself"]) -> RecommenderBacked:
        """The teacher of a phase, ready to speak; what has to be trained first has a folder below the phase's."""
        if who == "itself":
            return RecommenderTeacher.around(self.student)
        place = replace(self.run, folder=self.run.folder and self.run.folder / who.kind)
        if not isinstance(who, Assistant):
            named = replace(place, name=f"{self.run.name}, its teacher")
            return make_teacher(who).fit(self.dataset, named)
        named = replace(place, name=f"{self.run.name}, its assistant")
        return RecommenderTeacher.around(self._pupil(who, named))

    def _pupil(self, who: Pupil, run: RunOptions) -> SASRec:
        """A model trained by terms of its own."""
        model = SASRec.for_dataset(self.dataset, seed=self.run.seed, **who.model.model_dump())
        lend_features(self.student, model, "assistant")
        lessons = replace(
            self,
            student=model,
            training=who.trained(self.training),
            run=run,
            further={**self.further, "assistant": model.get_config()},
        )
        lessons.take((Phase(**{name: getattr(who, name) for name in Terms.model_fields}),))
        return model

    def fit(self, phase: Phase, heard: Mapping[str, Lookup]) -> TrainingLog:
        """One training with the phase's terms."""
        student, training = self.student, self.training
        judge = _judge(student, self.dataset, training.metric)
        return Trainer(training, self.run).fit(
            student.network, self._batches(phase), self._loss(phase, heard), judge, self.further
        )

    def _evidence(self, phase: Phase, heard: Mapping[str, Lookup]) -> Evidence:
        assert phase.prune
        loss, device = (
            self._loss(measured(phase), heard),
            next(self.student.network.parameters()).device,
        )
        return gathered(loss, self._batches(phase), phase.prune.batches, device, self.run.seed)

    def _batches(self, phase: Phase) -> TrainingBatches:
        return TrainingBatches(
            self.dataset.train.histories,
            self.student.history,
            self.training.batch_size,
            self.run.seed,
            self.training.windows,
            phase.views,
            phase.unlabelled,
        )

    def _loss(self, phase: Phase, heard: Mapping[str, Lookup]) -> DistillationLoss:
        popularity = np.bincount(self.dataset.train.items, minlength=self.dataset.num_items)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(
                self.run.seed
            )  # projections begin at random, and must begin alike again
            return DistillationLoss(
                self.student,
                phase.objectives,
                heard,
                torch.from_numpy(popularity).float(),
                phase.weighting,
                self.teacher,
                torch.from_numpy(self.dataset.train.next_ratings),
                self.tutors,
            )


def _judge(student: SequenceModel, dataset: Dataset, metric: str) -> Validation | None:
    """What validation measures."""
    if metric == "rating" or metric == "like":
        return outcome_validation(student, dataset, metric)
    return validation(student, dataset)


@contextmanager
def _folder(home: Path | None) -> Generator[Path]:
    if home is not None:
        yield home / OWN_SIGNALS
        return
    with tempfile.TemporaryDirectory(prefix="recdistill-") as folder:
        yield Path(folder) / OWN_SIGNALS


@contextmanager
def learning(network: nn.Module, parts: tuple[str, ...]) -> Generator[None]:
    """Only the parameters below `parts` learn; all when there are none.

    Raises:
        ConfigError: the network has no such part.
    """
    named = dict(network.named_parameters())
    for part in parts:
        if not any(_below(name, part) for name in named):
            known = sorted({name.rsplit(".", 1)[0] for name in named})
            raise ConfigError(f"The student has no part '{part}' to train.", nearest(part, known))
    frozen = [
        value
        for name, value in named.items()
        if parts and value.requires_grad and not any(_below(name, part) for part in parts)
    ]
    for value in frozen:
        value.requires_grad_(False)
    try:
        yield
    finally:
        for value in frozen:
            value.requires_grad_(True)


@contextmanager
def dropping(network: nn.Module, rate: float | None) -> Generator[None]:
    """Dropout of another `rate` than the network's own, while it learns."""
    drops = [part for part in network.modules() if isinstance(part, ByteDropout)]
    before = [part.rate for part in drops]
    for part in drops:
        part.rate = part.rate if rate is None else rate
    try:
        yield
    finally:
        for part, own in zip(drops, before, strict=True):
            part.rate = own


def _below(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")
