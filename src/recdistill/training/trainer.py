"""The way in: train any module with any loss function. It knows no architecture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from recdistill.progress import SilentProgress
from recdistill.training.checkpoints import CheckpointStore
from recdistill.training.hardware import surroundings
from recdistill.training.identity import identity
from recdistill.training.keeper import Keeper
from recdistill.training.learner import Learner
from recdistill.training.log import TrainingLog
from recdistill.training.loop import Loop, Validation
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.reporter import Reporter
from recdistill.training.step import Batches, LossFunction
from recdistill.training.trackers import open_trackers


class Trainer:
    """Trains, through any number of interruptions, to the same weights."""

    def __init__(self, config: TrainingConfig, run: RunOptions) -> None:
        """`config` decides the result, `run` the circumstances."""
        self._config, self._run = config, run

    def fit(
        self,
        module: nn.Module,
        batches: Batches,
        loss: LossFunction,
        validate: Validation | None = None,
        further: Mapping[str, Any] | None = None,
    ) -> TrainingLog:
        """Train `module`, and leave it in its best validated state (its last without validation).

        With a folder in the run options, training goes on from the newest checkpoint there, and the
        outcome is bit for bit that of a training that was never interrupted.

        Args:
            module: what is trained; moved to the run's device.
            batches: its experience.
            loss: what is lowered; parameters of its own are trained and kept as well.
            validate: called between epochs, in evaluation mode and without gradients; greater is
                better.
            further: plain data that decides the result too (recipe, teacher); a checkpoint made
                under another is refused.

        Raises:
            DivergenceError: a loss term, the gradient or a validation is not finite.
            CheckpointError: the folder's checkpoints are all damaged, or of another training.
            StorageError: a checkpoint or a log cannot be written.
        """
        config, run = self._config, self._run
        progress = run.progress or SilentProgress()
        with surroundings(run) as device:
            learner = Learner(config, run.seed, device, module, batches, loss)
            itself = identity(config, run, learner.parts, batches, further or {})
            store = run.folder and CheckpointStore(run.folder / "checkpoints", itself, progress.say)
            keeper = Keeper(store, run.checkpoint_seconds)
            reporter = Reporter(
                progress, run.name, open_trackers(run, progress.say), learner, itself
            )
            return Loop(config, learner, keeper, reporter, validate).run()
