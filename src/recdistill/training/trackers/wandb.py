"""Scalars for Weights & Biases; `WANDB_MODE=offline` keeps them on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from recdistill.errors import MissingExtraError
from recdistill.files import content_hash


class WeightsAndBiases:
    """One W&B run a training; an interrupted one goes on under the same id."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises `MissingExtraError` when wandb is not installed."""
        try:
            self._wandb = import_module("wandb")
        except ImportError as error:
            raise MissingExtraError("The Weights & Biases tracker", "track") from error
        self._folder, self._name = folder, name
        self._run: Any = None

    def start(self, config: Mapping[str, Any], step: int) -> None:
        """Begin a run, or go on with this folder's; W&B ignores steps that it has seen."""
        self._run = self._wandb.init(
            project="recdistill",
            name=self._name,
            id=content_hash([str(self._folder.resolve()), self._name, dict(config)]),
            dir=str(self._folder),
            config=dict(config),
            resume="allow",
        )

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One row of history."""
        self._run.log(dict(values), step=step)

    def flush(self) -> None:
        """Nothing to do: W&B writes from a process of its own."""

    def close(self) -> None:
        """Mark the run as finished."""
        self._run.finish()
