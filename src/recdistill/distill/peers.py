"""A second network that learns beside the student, in the same steps and from the same batches.

    L_peer = CE(next item, p) + weight · T² · KL( q^T ‖ p^T )      p the peer's, q the student's, p^T = softmax(z / T)

Deep mutual learning (Zhang et al. 2018, there with weight 1 and T = 1): each network is taught by the labels and by
what the other believes at this very step. With weight 0 the peer is a teacher trained jointly that does not
listen. The divergence is over the whole catalogue, and goes with the next-item loss through one pass over the
peer's logits. Neither network's lesson moves the other: each sees the other without gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from recdistill.distill.output import Output
from recdistill.distill.speakers import Lesson, Speaker
from recdistill.models.internals import precise
from recdistill.models.logits import Logits, chunked
from recdistill.models.losses import softmax
from recdistill.models.products import product
from recdistill.models.recommender import SequenceModel
from recdistill.training.step import TorchBatch


class Fellow(Speaker):
    """A network that speaks while it learns; part of the loss, so trained, kept in checkpoints and left behind."""

    learns = True

    def __init__(self, model: SequenceModel, weight: float, temperature: float) -> None:
        super().__init__(model)
        self.network = model.network
        self._weight, self._temperature = weight, temperature

    def __call__(self, batch: TorchBatch, own: Output, *, watch: bool) -> Output:
        """What it says; while it learns, with its dropout and with gradients of its own."""
        with torch.set_grad_enabled(self.training):
            return Output.of(self.model, batch, watch=watch)

    def lesson(self, said: Output, own: Output) -> Lesson:
        """What it learns from a batch about which it `said` so, and the student `own`."""
        compare = _Comparison(own.detached(), self._weight, self._temperature)
        total, parts = chunked(said.states, said.table, compare)
        plain = parts / parts.new_tensor([1.0, self._weight])[: len(parts)]
        return Lesson(total, dict(zip(("next-item", "kl"), plain, strict=False)))


@dataclass(frozen=True)
class _Comparison:
    """The loss of a chunk of the peer's logits: its share of the mean of each term."""

    student: Output
    weight: float
    temperature: float

    def __call__(self, logits: Logits, part: slice) -> Float[Tensor, " terms"]:
        targets, known = self.student.batch.targets[part], self.student.batch.targets >= 0
        losses = softmax(logits, targets.clamp_min(0))
        right = torch.where(known[part], losses, 0.0).sum() / known.sum().clamp_min(1)
        if not self.weight:
            return right[None]
        return torch.stack([right, self.weight * self._divergence(logits, part)])

    def _divergence(self, logits: Logits, part: slice) -> Float[Tensor, ""]:
        """T² · KL from the student, over the whole catalogue: Σ q log q − Σ q z / T + log Σ exp(z / T)."""
        heat, chances, bits = self.temperature, *self._believed(part)
        crossed = _dot(chances, logits.full()) / heat
        return (
            heat**2
            * (bits - crossed + logits.log_normaliser(heat)).sum()
            / len(self.student.states)
        )

    @torch.no_grad()
    def _believed(
        self, part: slice
    ) -> tuple[Float[Tensor, "positions items"], Float[Tensor, " positions"]]:
        """q of the student, and Σ q log q."""
        states, table = self.student.states[part], self.student.table
        with torch.autocast(states.device.type, enabled=False):
            scaled = product(precise(states) / self.temperature, precise(table))
            chances = torch.softmax(scaled, 1)
            normaliser = (
                scaled.amax(1) - chances.amax(1).log()
            )  # log q = z − log Σ exp z, of the best item too
            return chances, _dot(chances, scaled) - normaliser


def _dot(
    one: Float[Tensor, "positions items"], other: Float[Tensor, "positions items"]
) -> Float[Tensor, " positions"]:
    """The products of each pair of rows, without a third matrix."""
    return torch.bmm(one[:, None], other[:, :, None])[:, 0, 0]
