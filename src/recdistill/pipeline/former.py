"""An earlier run, as one that goes on from it sees it: what it learned from, who taught, what was said, who learned."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from recdistill.config.continuing import Continues
from recdistill.config.located import LocatedYaml
from recdistill.config.tree import RunConfig
from recdistill.data.dataset import Dataset
from recdistill.data.reading import read_dataset
from recdistill.errors import ConfigError, DataError
from recdistill.pipeline import students as arms
from recdistill.pipeline.run_folder import RunFolder
from recdistill.pipeline.stages import StageRunner
from recdistill.settings import Settings
from recdistill.signals.carrying import Former
from recdistill.signals.collection import Signals
from recdistill.signals.kinds import ItemVectors
from recdistill.signals.manifest import SignalManifest, differences
from recdistill.teachers.going_on import Keep, go_on
from recdistill.teachers.loading import load_teacher
from recdistill.training.options import RunOptions

if TYPE_CHECKING:
    from recdistill.teachers.base import RecommenderBacked

_HINT = "Configure them as in the earlier run, or leave out `continues`."


class FormerRun:
    """The folder of an earlier run; it is only read."""

    def __init__(self, config: RunConfig, own: Path) -> None:
        """Check what can be known before anything is made.

        Raises:
            ConfigError: `config.continues` names no run, or this very one (`own`), or one with another teacher,
                student or signals, where these are taken over.
        """
        assert config.continues is not None
        self.how: Continues = config.continues
        self.folder = RunFolder(self.how.run)
        if self.how.run.resolve() == own.resolve():
            raise ConfigError(
                f"{own} would go on from itself.", "Give this run another folder with --into."
            )
        self.config = self._read()
        self._stages = StageRunner(self.how.run, lambda line: None)
        self._require_alike(config)
        self._trusting = config.teacher  # not what the earlier run's folder says

    def _read(self) -> RunConfig:
        file = self.folder.config_file
        if not file.is_file():
            raise ConfigError(
                f"continues.run: {self.how.run} is no run folder: it has no config.yaml.",
                "Give the folder of an earlier `recdistill run`.",
            )
        try:
            return RunConfig.model_validate(LocatedYaml.read(file).data)
        except ValidationError as error:
            raise ConfigError(
                f"continues.run: {file} is no configuration of this version: {error.errors()[0]['msg']}.",
                "Run the earlier configuration again, with this version.",
            ) from error

    def _require_alike(self, config: RunConfig) -> None:
        _require_same("teacher", config.teacher, self.config.teacher)
        if self.how.reuses:
            asked = {kind.kind: kind for kind in self.config.signals}
            for kind in config.signals:
                if not isinstance(kind, ItemVectors):
                    _require_same(f"signals ({kind.kind})", kind, asked.get(kind.kind))
        if self.how.student:
            _require_same("student", config.student, self.config.student)
            _require_same("features", config.features, self.config.features)
            if config.evaluation.seeds > self.config.evaluation.seeds:
                raise ConfigError(
                    f"{config.evaluation.seeds} students would go on, but {self.how.run} trained "
                    f"{self.config.evaluation.seeds}.",
                    f"Set evaluation.seeds to {self.config.evaluation.seeds}, or continues.student: false.",
                )

    def _stage(self, name: str) -> Path:
        found = self._stages.finished(name)
        if found is None:
            raise ConfigError(
                f"continues.run: the stage '{name}' of {self.how.run} is not there, not finished, or damaged.",
                f"Finish it with: recdistill run {self.how.run}",
            )
        return found.folder

    def seconds(self, name: str) -> float:
        """How long a stage took."""
        found = self._stages.finished(name)
        return found.seconds if found else 0.0

    @cached_property
    def dataset(self) -> Dataset:
        """What it learned from."""
        return read_dataset(self._stage("dataset"))

    def check(self, dataset: Dataset) -> None:
        """Refuse to be judged by what the earlier run learned from, or chose by.

        Raises:
            DataError: its training or validation reaches into the validation or test of `dataset`.
        """
        before = self.dataset
        if before.split.kind != dataset.split.kind:
            reason = f"it was split by {before.split.kind}, this one is by {dataset.split.kind}"
        elif before.split.cuts and dataset.split.cuts:
            then, now = before.split.cuts, dataset.split.cuts
            late = then.valid > now.valid or then.test > now.test
            reason = "its cuts lie later in time than those of this one" if late else ""
        else:
            fewer = _users_with_fewer(before, dataset)
            reason = f"{fewer:,} users have fewer training events than then" if fewer else ""
        if reason:
            raise DataError(
                f"{self.how.run} may have learned from what this run is to be judged by: {reason}.",
                "Go on from a run on an earlier state of the same log, split in the same way.",
            )

    @cached_property
    def teacher(self) -> RecommenderBacked:
        """Who taught."""
        return load_teacher(self._stage("teacher"), self.dataset, trusting=self._trusting)

    @property
    def teacher_facts(self) -> list[Any]:
        """What decides, from its side, what its teacher becomes."""
        how, who = (
            one.model_dump(mode="json") for one in (self.how.teacher, self.teacher.identity())
        )
        return [how, who, self.dataset.fingerprint]

    def taught(self, dataset: Dataset, run: RunOptions) -> RecommenderBacked:
        """The teacher of the run that goes on."""
        return go_on(self.teacher, self.dataset, dataset, self.how.teacher, run)

    @cached_property
    def signals(self) -> Signals:
        """What was said."""
        return Signals.open(self._stage("signals"))

    def said(self, dataset: Dataset) -> Former | None:
        """What was said and stands, as the run that goes on reads it."""
        if not self.how.reuses:
            return None
        return Former.of(self.signals, self.dataset.vocabulary, dataset.vocabulary)

    def student(self, arm: arms.Arm, seed: int) -> arms.Trained | None:
        """The student from which one of an arm and seed goes on."""
        if not self.how.student:
            return None
        return arms.load(self._stage(f"{arm.former}/seed-{seed}"), self.dataset)

    def sentences(self, signals: Signals) -> list[str]:
        """What readers of the run that goes on should know."""
        kept = "kept as it was" if isinstance(self.how.teacher, Keep) else "trained further"
        students = (
            "students and twins start from theirs" if self.how.student else "students start afresh"
        )
        return [
            f"This run goes on from {self.how.run.name}: the teacher is {kept}; {self.counted(signals)}; {students}."
        ]

    def saved(self, signals: Signals) -> float:
        """About how many seconds of labelling were not spent again, at the speed of the earlier run."""
        speed = min((one.rows_per_second for one in _about_contexts(self.signals)), default=0.0)
        return _carried(signals)[0] / speed if speed else 0.0

    @staticmethod
    def counted(signals: Signals) -> str:
        """How many contexts were taken over, and about how many the teacher was asked."""
        carried, asked = _carried(signals)
        return f"carried {carried:,} contexts, asked about {asked:,}"


def _carried(signals: Signals) -> tuple[int, int]:
    manifests = _about_contexts(signals)
    carried = max((one.rows - one.asked for one in manifests), default=0)
    return carried, max((one.asked for one in manifests), default=0)


def _about_contexts(signals: Signals) -> list[SignalManifest]:
    return [
        reader.manifest for reader in signals.values() if not isinstance(reader.kind, ItemVectors)
    ]


def _require_same(what: str, now: Settings | None, then: Settings | None) -> None:
    before, wanted = (one and one.model_dump(mode="json") for one in (then, now))
    found = next(differences(before, wanted, what), None)
    if found:
        raise ConfigError(
            f"The earlier run cannot be taken over, since this one differs in `{found.field}`: "
            f"{found.expected!r} then, {found.found!r} now.",
            _HINT,
        )


def _users_with_fewer(before: Dataset, now: Dataset) -> int:
    """How many users have fewer training events than before; a log only ever grows at its end."""
    places = now.users.encode(before.users.ids)
    lengths = np.append(now.train.histories.lengths, 0)
    return int((lengths[places] < before.train.histories.lengths).sum())
