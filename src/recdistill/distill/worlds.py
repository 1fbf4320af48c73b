"""Other worlds: the histories of a batch, as they were but for one event each.

What a model says in the world that was, less what it says in the other, is the effect it believes that event to have
(Pearl 2009, section 3.2: an intervention sets one variable, and leaves what came before it as it is).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from recdistill.distill.output import Output
from recdistill.models.logits import Logits, chunked
from recdistill.models.recommender import SequenceModel
from recdistill.training.step import TorchBatch


@dataclass(frozen=True)
class World:
    """What is to be seen: a batch, and how much of each of its events."""

    batch: TorchBatch
    gates: Float[Tensor, " positions"] | None = None

    def states(
        self, model: SequenceModel, table: Float[Tensor, "items width"]
    ) -> Float[Tensor, "positions width"]:
        """What `model`, whose item vectors are `table`, knows after each position."""
        return model.encode(self.batch, table, self.gates)

    def without(self, events: Int64[Tensor, " rows"]) -> World:
        """The world in which `events` (positions) were not seen; their places stay."""
        ones = torch.ones(len(self.batch), device=events.device)
        return replace(self, gates=ones.index_fill(0, events, 0.0))

    def swapped(self, events: Int64[Tensor, " rows"], items: int) -> World:
        """The world in which each of `events` is another of `items` items, all others equally likely."""
        old = self.batch.items[events]
        further = torch.randint(1, max(items, 2), old.shape, device=old.device)
        seen = self.batch.items.index_copy(0, events, (old + further) % items)
        return replace(self, batch=replace(self.batch, items=seen))


def foremost(scores: Float[Tensor, " positions"], batch: TorchBatch) -> Int64[Tensor, " rows"]:
    """The position of the greatest score of each history, the oldest of equals."""
    pieces = scores.split([rows * length for _, rows, length in batch.runs])
    found = [
        first
        + length * torch.arange(rows, device=scores.device)
        + piece.view(rows, length).argmax(1)
        for piece, (first, rows, length) in zip(pieces, batch.runs, strict=True)
    ]
    return torch.cat(found)


def later(events: Int64[Tensor, " rows"], batch: TorchBatch) -> Bool[Tensor, " positions"]:
    """Whether each position has its history's event behind it (or is that event)."""
    lengths = batch.places[batch.ends] + 1
    positions = torch.arange(len(batch), device=events.device)
    return positions >= events.repeat_interleave(lengths, output_size=len(batch))


def importance(output: Output) -> Float[Tensor, " positions"]:
    """How much each event matters to a model for what followed it.

    | Σ_p ∂ log p(answer_p) / ∂ g | / (number of p), over the positions p that see the event, g being its gate: to first
    order, by how much the model would be surer of its answers without it. The answer is the next item; where that is
    unknown, the model's own best.
    """
    gates = torch.ones(len(output.batch), device=output.table.device, requires_grad=True)
    table = output.table.detach()
    answers = _answers(output)

    def likelihood(logits: Logits, part: slice) -> Float[Tensor, " one"]:
        listed = logits.at(answers[part, None]).squeeze(1)
        return (listed - logits.log_normaliser()).sum()[None]

    with torch.enable_grad():
        total, _ = chunked(
            World(output.batch, gates).states(output.model, table), table, likelihood
        )
        (slopes,) = torch.autograd.grad(total, gates)
    last = output.batch.ends.repeat_interleave(output.batch.places[output.batch.ends] + 1)
    return slopes.abs() / (last - torch.arange(len(gates), device=gates.device) + 1)


@torch.no_grad()
def _answers(output: Output) -> Int64[Tensor, " positions"]:
    answers, unknown = output.batch.targets.clone(), output.batch.targets < 0
    if unknown.any():
        answers[unknown] = (output.states[unknown] @ output.table.T).argmax(1)
    return answers


def precise(output: Output) -> Output:
    """The same in single precision at least: effects are small differences."""
    kind = torch.promote_types(output.table.dtype, torch.float32)
    return replace(output, states=output.states.to(kind), table=output.table.to(kind))


@contextmanager
def still(*networks: nn.Module) -> Generator[None]:
    """No dropout and no memory of what passes through, so that two worlds differ in nothing but the event."""
    with ExitStack() as after:
        for network in networks:
            after.callback(network.train, network.training)
            network.eval()
        yield
