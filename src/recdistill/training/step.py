"""What passes between the loop and a loss: a batch, a moment, and a step's loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.data.batches import Batch


@dataclass(frozen=True)
class TorchBatch:
    """A packed batch as tensors of one device; the fields are those of `data.batches.Batch`."""

    items: Int64[Tensor, " positions"]
    places: Int64[Tensor, " positions"]
    targets: Int64[Tensor, " positions"]
    events: Int64[Tensor, " positions"]
    ends: Int64[Tensor, " rows"]
    runs: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, batch: Batch, device: torch.device | str = "cpu") -> TorchBatch:
        """`batch` on `device`; on the processor the arrays are shared, not copied."""
        arrays = (batch.items, batch.places, batch.targets, batch.events, batch.ends)
        tensors = [torch.from_numpy(array).to(device, non_blocking=True) for array in arrays]
        return cls(*tensors, runs=batch.runs)

    def take(self, rows: Int64[Tensor, " chosen"]) -> TorchBatch:
        """Only these of its histories, named in ascending order."""
        lengths = torch.cat([torch.full((count,), length) for _, count, length in self.runs])
        stops, rows = lengths.cumsum(0), rows.cpu()
        spans = zip((stops - lengths)[rows].tolist(), stops[rows].tolist(), strict=True)
        at = torch.cat([torch.arange(*span) for span in spans]).to(self.items.device)
        runs, first = [], 0
        for length, count in zip(
            *map(Tensor.tolist, lengths[rows].unique_consecutive(return_counts=True)), strict=True
        ):
            runs.append((first, count, length))
            first += count * length
        columns = (self.items[at], self.places[at], self.targets[at], self.events[at])
        ends = lengths[rows].cumsum(0).sub(1).to(self.ends.device)
        return TorchBatch(*columns, ends, tuple(runs))

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Moment:
    """Where in training a step stands.

    Attributes:
        step: 0-based number of the batch since the beginning.
        steps: the number of batches of the whole training, were it never stopped early.
        epoch: 0-based.
        feedback: what the last validation measured, by name.
    """

    step: int
    steps: int
    epoch: int
    feedback: Mapping[str, float]

    @property
    def progress(self) -> float:
        """The share of the training that is behind, from 0 to 1: what schedules read."""
        return self.step / max(self.steps - 1, 1)


@dataclass(frozen=True)
class StepLoss:
    """The loss of one batch.

    Attributes:
        total: what is minimised; gradients flow through it.
        terms: detached means, by name, for people to read.
        positions: how many positions counted.
    """

    total: Float[Tensor, ""]
    terms: Mapping[str, Tensor]
    positions: int


class LossFunction(Protocol):
    """Computes the loss of a batch; an `nn.Module` when it has parameters of its own to learn.

    Its random numbers come from torch's default generator, which the loop seeds for each step.
    """

    def __call__(self, batch: TorchBatch, moment: Moment) -> StepLoss:
        """The loss of `batch` at `moment`."""
        ...


class Batches(Protocol):
    """Where batches come from: `data.batches.TrainingBatches`, or another pure function."""

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        ...

    def batch(self, epoch: int, step: int) -> Batch:
        """Batch `step` of `epoch`, the same whenever it is asked for."""
        ...
