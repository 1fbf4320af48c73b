"""From the names in a configuration to trackers that listen, as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recdistill.errors import MissingExtraError
from recdistill.training.options import RunOptions, TrackerName
from recdistill.training.trackers.contract import Tracker
from recdistill.training.trackers.jsonl import JsonLines
from recdistill.training.trackers.mlflow import MLflow
from recdistill.training.trackers.tensorboard import TensorBoard
from recdistill.training.trackers.wandb import WeightsAndBiases

_NAMED: Mapping[TrackerName, Callable[[Path, str], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}


class Trackers:
    """Several trackers that hear the same."""

    def __init__(self, members: Sequence[Tracker]) -> None:
        """`members` are told everything in this order."""
        self.members = tuple(members)

    def start(self, config: Mapping[str, Any], step: int) -> None:
        """Begin, or go on after `step`."""
        for member in self.members:
            member.start(config, step)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Pass the values on."""
        for member in self.members:
            member.scalars(step, values)

    def flush(self) -> None:
        """Make what was said survive a kill."""
        for member in self.members:
            member.flush()

    def close(self) -> None:
        """Close them all."""
        for member in self.members:
            member.close()


def open_trackers(run: RunOptions, say: Callable[[str], None]) -> Trackers:
    """JSON lines in the run's folder, and whatever else `run` names or brings along.

    TensorBoard is on without anybody asking, so where it is not installed, `say` tells so and that
    is all.

    Raises:
        MissingExtraError: another named tracker's package is not installed.
    """
    members: list[Tracker] = []
    if run.folder is not None:
        members.append(JsonLines(run.folder / "training.jsonl"))
    for tracker in run.trackers:
        if not isinstance(tracker, str):
            members.append(tracker)
        elif run.folder is not None:
            members += _named(tracker, run.folder, run.name, say)
    return Trackers(members)


def _named(
    name: TrackerName, folder: Path, training: str, say: Callable[[str], None]
) -> list[Tracker]:
    try:
        return [_NAMED[name](folder, training)]
    except MissingExtraError as error:
        if name != "tensorboard":
            raise
        if not _told:
            say(str(error))
            _told.append(name)
        return []


_told: list[str] = []
"""What this process has said already."""
