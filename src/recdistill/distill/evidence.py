"""What tells the parts of a student that matter: what it is about to see, and to lower."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recdistill.compression.importance import Evidence
from recdistill.data.batches import TrainingBatches
from recdistill.distill.heads import Served
from recdistill.distill.objectives import LogitObjective, NextItem, Objective
from recdistill.distill.phases import Phase
from recdistill.distill.weighting import Fixed
from recdistill.training.step import LossFunction, Moment, TorchBatch


def measured(phase: Phase) -> Phase:
    """The phase with its terms over served logits alone, by their own weights; the others see the student through
    projections that have learned nothing yet."""
    own = tuple(filter(_served, phase.objectives)) or (NextItem(),)
    return phase.model_copy(update={"objectives": own, "weighting": Fixed()})


def gathered(
    loss: LossFunction, batches: TrainingBatches, count: int, device: torch.device, seed: int
) -> Evidence:
    """The first `count` batches of a training and what it lowers in its first step; random numbers repeat."""
    if isinstance(loss, nn.Module):
        loss.to(device).eval()
    moment = Moment(0, batches.steps, 0, {})

    def lowered(batch: TorchBatch) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return loss(batch, moment).total

    shown = (batches.batch(0, number) for number in range(min(count, batches.steps)))
    return Evidence([TorchBatch.of(one, device) for one in shown], lowered)


def _served(term: Objective) -> bool:
    return isinstance(term, LogitObjective) and term.head == Served()
