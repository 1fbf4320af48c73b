"""Losses as they come, kept on the device until somebody wants to know them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from recdistill.errors import DivergenceError


@dataclass
class Means:
    """Means over positions, added in the order of the steps: a resumed sum is the same sum."""

    sums: dict[str, float] = field(default_factory=dict[str, float])
    positions: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, values: Mapping[str, float], positions: int) -> None:
        """Count the means of one batch."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * positions
            self.positions[name] = self.positions.get(name, 0) + positions

    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / max(1, self.positions[name]) for name, total in self.sums.items()}


@dataclass
class Ledger:
    """The loss terms since the last line in the logs, and since the epoch began.

    Reading a number off a GPU waits for it; so numbers pile up there and are read together by
    `settle`.
    """

    window: Means = field(default_factory=Means)
    epoch: Means = field(default_factory=Means)
    _pending: list[tuple[int, Mapping[str, Tensor], int]] = field(
        default_factory=list[tuple[int, Mapping[str, Tensor], int]]
    )

    def add(self, step: int, values: Mapping[str, Tensor], positions: int) -> None:
        """Take note of one batch; nothing is read yet."""
        self._pending.append((step, values, positions))

    def settle(self) -> None:
        """Read what piled up and add it to the means.

        Raises:
            DivergenceError: a number is not finite; it names the step and the term.
        """
        flat = [
            value.detach().float() for _, values, _ in self._pending for value in values.values()
        ]
        numbers = iter(torch.stack(flat).tolist() if flat else ())
        pending, self._pending = self._pending, []
        for step, values, positions in pending:
            known = {name: next(numbers) for name in values}
            _refuse_infinite(known, step)
            self.window.add(known, positions)
            self.epoch.add(known, positions)


def _refuse_infinite(values: Mapping[str, float], step: int) -> None:
    wrong = [name for name, value in values.items() if not math.isfinite(value)]
    if not wrong:
        return
    # A total is wrong because one of its terms is, where there is one to blame.
    name = next((name for name in wrong if name != "loss"), "loss")
    raise DivergenceError(
        f"Training diverged: '{name}' was {values[name]} at step {step}.",
        "The last good state is kept. Lower training.optimizer.learning_rate or "
        "training.clip_norm, or set training.precision: float32, and run again.",
    )
