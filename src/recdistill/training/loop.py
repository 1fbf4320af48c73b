"""Updates, epochs, validations and checkpoints in their order."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch

from recdistill.errors import DivergenceError
from recdistill.training.interruption import postponed_interruption
from recdistill.training.keeper import Keeper
from recdistill.training.learner import Learner
from recdistill.training.log import TrainingLog
from recdistill.training.options import TrainingConfig
from recdistill.training.reporter import Reporter
from recdistill.training.state import TrainingState

Validation = Callable[[], float]
"""Measures the module as it is now; greater is better."""


class Loop:
    """One training, from its newest checkpoint to its end."""

    def __init__(
        self,
        config: TrainingConfig,
        learner: Learner,
        keeper: Keeper,
        reporter: Reporter,
        validate: Validation | None,
    ) -> None:
        """Put the parts together; nothing happens yet."""
        self._config, self._learner, self._keeper = config, learner, keeper
        self._reporter, self._validate = reporter, validate
        self._state = TrainingState(TrainingLog(config.metric))

    def run(self) -> TrainingLog:
        """Train to the end; an interruption is obeyed after a checkpoint."""
        self._state = self._keeper.recall(self._learner) or self._state
        try:
            if not self._state.finished:
                self._train()
        finally:
            self._learner.restore(self._keeper.best)
            self._learner.module.eval()
        return self._state.log

    def _train(self) -> None:
        state, learner = self._state, self._learner
        learner.parts.train()
        with self._reporter.watching(state), postponed_interruption() as interruption:
            while not state.finished and interruption.signal is None:
                self._update()
                epoch_ended = state.step % learner.batches.steps == 0
                if epoch_ended:
                    self._end_epoch()
                last = state.finished or interruption.signal is not None
                if last or self._keeper.is_due(epoch_ended=epoch_ended):
                    self._reporter.before_checkpoint(state)
                    self._keeper.keep(learner, state)

    def _update(self) -> None:
        state, began = self._state, time.perf_counter()
        batches, positions = self._learner.update(state.step, self._feedback(), state.ledger)
        state.step += batches
        state.positions += positions
        self._reporter.after_update(state, batches)
        state.seconds += time.perf_counter() - began

    def _end_epoch(self) -> None:
        state, config = self._state, self._config
        improved = state.end_epoch(self._measure())
        if improved:
            weights = self._learner.weights()
            self._keeper.note_best(
                {name: value for name, value in weights.items() if name.startswith("model.")}
            )
        planned = state.step >= self._learner.steps
        state.log.stopped_early = (
            not planned and config.patience is not None and state.stale >= config.patience
        )
        state.finished = planned or state.log.stopped_early
        self._reporter.after_epoch(state)

    def _measure(self) -> float | None:
        """The validation after the epoch under way, where one is due."""
        epoch = self._state.step // self._learner.batches.steps
        due = epoch % self._config.validate_every == 0 or epoch == self._config.epochs
        if self._validate is None or not due:
            return None
        began = time.perf_counter()
        self._learner.reseed(self._state.step)
        self._learner.parts.eval()
        with torch.no_grad():
            value = float(self._validate())
        self._learner.parts.train()
        self._state.log.validation_seconds += time.perf_counter() - began
        if not math.isfinite(value):
            raise DivergenceError(
                f"Training diverged: {self._config.metric} was {value} after epoch {epoch}.",
                "Lower training.optimizer.learning_rate, or set training.precision: float32.",
            )
        return value

    def _feedback(self) -> dict[str, float]:
        measured = [epoch.validation for epoch in self._state.log.epochs]
        known = [value for value in measured if value is not None]
        return {self._config.metric: known[-1]} if known else {}
