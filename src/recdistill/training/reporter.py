"""Tells people and trackers how a training goes, without slowing it down."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from recdistill.progress import Figure, Progress, Task
from recdistill.training.learner import Learner
from recdistill.training.ledger import Means
from recdistill.training.state import TrainingState
from recdistill.training.trackers import Tracker

_LINES_AN_EPOCH = 20
_SECONDS_BETWEEN_LOOKS = 0.25


class Reporter:
    """Reads the losses off the device when somebody is due to hear them.

    People hear by the clock; trackers by the count of steps, so that a resumed training says the
    same.
    """

    def __init__(
        self,
        progress: Progress,
        name: str,
        tracker: Tracker,
        learner: Learner,
        config: Mapping[str, Any],
    ) -> None:
        """Report on `learner` under `name`; `config` is what trackers are told of the training."""
        self._progress, self._name, self._tracker = progress, name, tracker
        self._learner, self._config = learner, config
        self._an_epoch = learner.batches.steps
        self._stride = -(-self._an_epoch // _LINES_AN_EPOCH)
        self._task: Task | None = None
        self._unshown, self._looked = 0, time.monotonic()

    @contextmanager
    def watching(self, state: TrainingState) -> Generator[None, None, None]:
        """Be open for reports."""
        self._tracker.start(self._config, state.step)
        try:
            with self._progress.task(self._name, self._learner.steps, "steps", state.step) as task:
                self._task = task
                yield
        finally:
            self._tracker.close()

    def after_update(self, state: TrainingState, batches: int) -> None:
        """Count; settle and say what is due."""
        self._unshown += batches
        due = state.step % self._an_epoch == 0
        due = due or state.step // self._stride != (state.step - batches) // self._stride
        if due or time.monotonic() - self._looked > _SECONDS_BETWEEN_LOOKS:
            state.ledger.settle()
            self._show(state)
        if due:
            self._line(state)

    def after_epoch(self, state: TrainingState) -> None:
        """Say what the epoch and its validation gave."""
        epoch = state.log.epochs[-1]
        values = {f"epoch/{name}": value for name, value in epoch.losses.items()}
        values["epoch/positions_per_second"] = epoch.positions / max(epoch.seconds, 1e-9)
        values["epoch/number"] = len(state.log.epochs)
        if epoch.validation is not None:
            values[f"validation/{state.log.metric}"] = epoch.validation
            if self._task is not None:
                self._task.advance(0, **{state.log.metric: epoch.validation})
        self._tracker.scalars(state.step, values)

    def before_checkpoint(self, state: TrainingState) -> None:
        """Leave nothing unsaid that the checkpoint would count as said."""
        state.ledger.settle()
        self._tracker.flush()

    def _line(self, state: TrainingState) -> None:
        values = {f"train/{name}": value for name, value in state.ledger.window.values().items()}
        state.ledger.window = Means()
        self._tracker.scalars(
            state.step, values | {"train/learning_rate": self._learner.learning_rate}
        )

    def _show(self, state: TrainingState) -> None:
        if self._task is None:
            return
        figures: dict[str, Figure] = {
            "epoch": f"{-(-state.step // self._an_epoch)}/{self._learner.steps // self._an_epoch}"
        }
        if state.seconds:
            figures["positions/s"] = state.positions / state.seconds
        figures |= _for_people(state.ledger.epoch.values())
        self._task.advance(self._unshown, **figures)
        self._unshown, self._looked = 0, time.monotonic()


def _for_people(losses: Mapping[str, float]) -> dict[str, float]:
    """The loss and its terms; weights and schedules (`kl/weight`) are for the curves."""
    shown = {name: value for name, value in losses.items() if "/" not in name}
    shown.pop("gradient_norm", None)
    return {"loss": shown["loss"]} if len(shown) == 2 else shown  # one term alone is the loss
