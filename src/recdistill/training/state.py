"""All that changes during a training, besides tensors."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from recdistill.training.ledger import Ledger, Means
from recdistill.training.log import Epoch, TrainingLog


@dataclass
class TrainingState:
    """Where a training stands.

    Attributes:
        log: of the finished epochs.
        ledger: losses of the epoch under way.
        step: batches seen.
        positions: seen in the epoch under way.
        seconds: spent on steps in the epoch under way.
        stale: validations since the best one.
        finished: whether all is done.
    """

    log: TrainingLog
    ledger: Ledger = field(default_factory=Ledger)
    step: int = 0
    positions: int = 0
    seconds: float = 0.0
    stale: int = 0
    finished: bool = False

    def end_epoch(self, validation: float | None) -> bool:
        """Close the epoch under way.

        Returns:
            Whether it is the best so far; greater is better, and of equals the first is best.
        """
        best = self.log.best
        self.log.epochs.append(
            Epoch(self.ledger.epoch.values(), validation, self.positions, self.seconds)
        )
        self.log.steps = self.step
        self.ledger.epoch, self.positions, self.seconds = Means(), 0, 0.0
        improved = validation is not None and (best is None or validation > best)
        if improved:
            self.log.best_epoch, self.stale = len(self.log.epochs) - 1, 0
        elif validation is not None:
            self.stale += 1
        return improved

    def to_dict(self) -> dict[str, Any]:
        """Plain data; the ledger must be settled."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        means = {"window": asdict(self.ledger.window), "epoch": asdict(self.ledger.epoch)}
        return {**numbers, **means, "log": self.log.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainingState:
        """The state that `to_dict` told of."""
        ledger = Ledger(Means(**data["window"]), Means(**data["epoch"]))
        numbers = {name: data[name] for name in _NUMBERS}
        return cls(TrainingLog.from_dict(data["log"]), ledger, **numbers)


_NUMBERS = ("step", "positions", "seconds", "stale", "finished")
