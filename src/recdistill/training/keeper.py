"""When to write a checkpoint, and what goes into it."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch
from torch import Tensor

from recdistill.training.checkpoints import CheckpointStore
from recdistill.training.learner import Learner
from recdistill.training.state import TrainingState

_LARGEST_SHARE = 0.05


class Keeper:
    """Keeps checkpoints, and holds the best weights.

    Attributes:
        best: the model's weights when it was best; empty before the first validation.
    """

    def __init__(self, store: CheckpointStore | None, seconds: float) -> None:
        """Without a store nothing is written; `seconds` is the least time between two within an
        epoch.

        Whatever `seconds` says, checkpoints take at most a twentieth of the time, unless it is 0,
        which asks for one after every update.
        """
        self._store, self._seconds = store, seconds
        self._cost, self._last = 0.0, time.monotonic()
        self.best: dict[str, Tensor] = {}

    def recall(self, learner: Learner) -> TrainingState | None:
        """Put `learner` back where the newest checkpoint left it; `None` when there is none."""
        kept = self._store and self._store.latest()
        if not kept:
            return None
        learner.restore(kept.tensors["weights"], kept.tensors["moments"])
        self.best = dict(kept.tensors["best"])
        return TrainingState.from_dict(kept.state)

    def is_due(self, *, epoch_ended: bool) -> bool:
        """Whether it is time for a checkpoint."""
        if self._store is None:
            return False
        least = 0.0 if epoch_ended else self._seconds
        pause = max(least, self._cost / _LARGEST_SHARE) if self._seconds else 0.0
        return time.monotonic() - self._last >= pause

    def keep(self, learner: Learner, state: TrainingState) -> None:
        """Write a checkpoint now."""
        if self._store is None:
            return
        began = time.monotonic()
        tensors = {"weights": learner.weights(), "moments": learner.moments(), "best": self.best}
        self._store.save(state.step, state.to_dict(), tensors)
        self._last = time.monotonic()
        self._cost = self._last - began

    @torch.no_grad()
    def note_best(self, weights: Mapping[str, Tensor]) -> None:
        """Remember these weights as the best."""
        self.best = {name: value.clone() for name, value in weights.items()}
