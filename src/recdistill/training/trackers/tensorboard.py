"""Scalars for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recdistill.errors import MissingExtraError


class TensorBoard:
    """Event files below `folder/tensorboard`; look at them with `tensorboard --logdir`."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises `MissingExtraError` when TensorBoard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("The TensorBoard tracker", "train") from error
        self._make, self._folder = SummaryWriter, folder / "tensorboard"
        self._writer: SummaryWriter | None = None

    def start(self, config: Mapping[str, Any], step: int) -> None:
        """Go on in a new event file, which tells TensorBoard to drop later steps."""
        self._writer = self._make(str(self._folder), purge_step=step + 1 if step else None)
        if not step:
            self._writer.add_text("configuration", _as_table(config))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point for each value."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Write the event file out."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()


def _as_table(config: Mapping[str, Any]) -> str:
    rows = [f"| {name} | {value} |" for name, value in config.items()]
    return "\n".join(["| setting | value |", "|---|---|", *rows])
