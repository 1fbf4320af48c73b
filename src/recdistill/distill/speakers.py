"""Those who speak inside a training step, and what they say as a signal like any other."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recdistill.distill.output import Output
from recdistill.distill.places import Signal
from recdistill.models.recommender import SequenceModel
from recdistill.signals.kinds import HardLabel, TopK
from recdistill.teachers.speech import BLOCK_BYTES, list_of
from recdistill.training.step import TorchBatch


@dataclass(frozen=True)
class Lesson:
    """What somebody learns beside the student in one step.

    Attributes:
        total: what is to be lowered.
        shown: the detached parts, by name, for people to read.
    """

    total: Float[Tensor, ""]
    shown: Mapping[str, Tensor]


class Speaker(nn.Module):
    """A sequence model that says what it knows about the batch of the step; the student's terms never move it."""

    learns = False
    """Whether it learns beside the student, and has a `lesson` each step."""

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.model = model  # no module, so neither trained nor part of the student's checkpoints

    def follow(self, student: nn.Module) -> None:
        """Take notice of where the student stands, before it learns from another batch."""

    def lesson(self, said: Output, own: Output) -> Lesson:
        """What it learns of a batch about which it `said` so, and the student `own`; asked only if it `learns`."""
        raise NotImplementedError

    @torch.no_grad()
    def __call__(self, batch: TorchBatch, own: Output, *, watch: bool) -> Output:
        """What it says about `batch`, of which the student says `own`; with its internals if `watch`."""
        self.model.network.to(batch.items.device).eval()
        return Output.of(self.model, batch, watch=watch)


class Averaged(Speaker):
    """An exponential moving average of a student's weights; what is not averaged (counters) is copied.

    Its weights are part of this module, so that a training that resumes finds them in the checkpoint.
    """

    def __init__(self, student: SequenceModel, decay: float) -> None:
        model = copy.copy(student)
        model.network = copy.deepcopy(student.network).requires_grad_(False)
        super().__init__(model)
        self.network, self._decay = model.network, decay
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def follow(self, student: nn.Module) -> None:
        """One step of the average; early, of all steps so far alike, so that the start is soon forgotten."""
        steps = self.get_buffer("steps")
        steps += 1
        decay = min(self._decay, 1 - 1 / float(steps))
        for mean, value in zip(_tensors(self.network), _tensors(student), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)


class Mirror(Speaker):
    """The student, as it said before: with its dropout, and no second pass."""

    @torch.no_grad()
    def __call__(self, batch: TorchBatch, own: Output, *, watch: bool) -> Output:
        """What it said already."""
        return own.detached()


@torch.no_grad()
def said(output: Output, kind: TopK | HardLabel) -> Signal:
    """What `output` amounts to as a signal about each position of its batch, in single precision."""
    states, table = output.states.float(), output.table.float()
    rows = max(1, BLOCK_BYTES // (4 * len(table)))
    with torch.autocast(states.device.type, enabled=False):
        parts = [list_of(kind, part @ table.T) for part in states.split(rows)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def told(lessons: Mapping[str, Lesson]) -> dict[str, Tensor]:
    """Lessons as logs show them: whole, and in parts."""
    shown = {name: lesson.total.detach() for name, lesson in lessons.items()}
    for name, lesson in lessons.items():
        shown |= {f"{name}/{part}": value for part, value in lesson.shown.items()}
    return shown


def _tensors(network: nn.Module) -> list[torch.Tensor]:
    return [*network.parameters(), *network.buffers()]
