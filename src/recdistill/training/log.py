"""What a training did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Epoch:
    """One pass over the histories.

    Attributes:
        losses: the mean over positions of the total (`loss`) and of each term.
        validation: what was measured after it; `None` where nothing was.
        positions: positions seen.
        seconds: spent on training steps.
    """

    losses: dict[str, float]
    validation: float | None
    positions: int
    seconds: float


@dataclass
class TrainingLog:
    """The learning curve, and what it cost.

    Attributes:
        metric: what validations measure; greater is better.
        epochs: every finished epoch in order.
        best_epoch: the epoch (0-based) whose weights were kept; `None` when nothing was validated.
        steps: batches seen.
        stopped_early: whether patience ran out before the planned epochs did.
        validation_seconds: spent on validations.
    """

    metric: str
    epochs: list[Epoch] = field(default_factory=list[Epoch])
    best_epoch: int | None = None
    steps: int = 0
    stopped_early: bool = False
    validation_seconds: float = 0.0

    @property
    def best(self) -> float | None:
        """The best validation."""
        return None if self.best_epoch is None else self.epochs[self.best_epoch].validation

    @property
    def seconds(self) -> float:
        """Spent on training steps; validations and checkpoints not counted."""
        return sum((epoch.seconds for epoch in self.epochs), 0.0)

    @property
    def positions(self) -> int:
        """Positions seen."""
        return sum(epoch.positions for epoch in self.epochs)

    @property
    def positions_per_second(self) -> float:
        """Speed of the training steps."""
        return self.positions / self.seconds if self.seconds else 0.0

    @classmethod
    def joined(cls, logs: Sequence[TrainingLog]) -> TrainingLog:
        """One log of trainings that followed each other; the weights kept are those of the last."""
        before = sum(len(log.epochs) for log in logs[:-1])
        best = logs[-1].best_epoch
        return cls(
            logs[-1].metric,
            [epoch for log in logs for epoch in log.epochs],
            None if best is None else before + best,
            sum(log.steps for log in logs),
            any(log.stopped_early for log in logs),
            sum(log.validation_seconds for log in logs),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the derived figures."""
        derived = ("best", "seconds", "positions", "positions_per_second")
        return asdict(self) | {name: getattr(self, name) for name in derived}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainingLog:
        """The log that `to_dict` told of."""
        plain: dict[str, Any] = {name: data[name] for name in cls.__dataclass_fields__}
        plain["epochs"] = [Epoch(**epoch) for epoch in plain["epochs"]]
        return cls(**plain)
