"""Next-item losses: pure functions of logits on request."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field, PositiveInt
from torch import Tensor

from recdistill.models.logits import Logits
from recdistill.settings import Settings


class Softmax(Settings):
    """Cross-entropy over the whole catalogue: the strongest, and with ours the default at any size."""

    kind: Literal["softmax"] = "softmax"


class SampledSoftmax(Settings):
    """Cross-entropy over the target and a sample of items, the same for all positions of a step."""

    kind: Literal["sampled-softmax"] = "sampled-softmax"
    negatives: PositiveInt = 256
    """Items drawn a step, with replacement."""
    alpha: float = Field(0.0, ge=0, le=1)
    """Items are drawn in proportion to popularity to this power; 0 draws all alike."""


LossConfig = Annotated[Softmax | SampledSoftmax, Field(discriminator="kind")]


def softmax(logits: Logits, targets: Int64[Tensor, " positions"]) -> Float[Tensor, " positions"]:
    """`log Σ_i exp z_i - z_target` at each position."""
    return logits.log_normaliser() - logits.at(targets[:, None])[:, 0]


def sampled_softmax(
    logits: Logits,
    targets: Int64[Tensor, " positions"],
    negatives: Int64[Tensor, " drawn"],
    log_chances: Float[Tensor, " drawn"],
) -> Float[Tensor, " positions"]:
    """The same with an estimate of the sum from `negatives`.

    `Σ_i exp z_i ≈ exp z_target + Σ_{j drawn, j ≠ target} exp(z_j) / (n q_j)`, without bias for any
    chances `q` (importance sampling; Bengio & Senécal 2008). The target is always in the sum, so it
    is not corrected (Khrylchenko et al. 2025), and a negative that is the target counts for nothing.

    Args:
        logits: on request.
        targets: the right item of each position.
        negatives: `n` items drawn independently with chances `q`.
        log_chances: `log q` of each.
    """
    right = logits.at(targets[:, None])
    wrong = logits.of(negatives) - log_chances - math.log(len(negatives))
    wrong = wrong.masked_fill(negatives == targets[:, None], -torch.inf)
    return torch.cat((right, wrong), dim=1).logsumexp(1) - right[:, 0]


class Sampler:
    """Draws items in proportion to `(count + 1) ** alpha`, with torch's random numbers."""

    def __init__(self, counts: Float[Tensor, " items"], alpha: float) -> None:
        chances = (counts.double() + 1) ** alpha
        self._cumulative = chances.cumsum(0) / chances.sum()
        self._log_chances = (chances / chances.sum()).log().float()

    def draw(self, count: int) -> tuple[Int64[Tensor, " count"], Float[Tensor, " count"]]:
        """Items, and the logarithms of their chances."""
        spots = torch.rand(count, dtype=torch.float64, device=self._cumulative.device)
        # The last cumulative chance may round below 1, and a spot may lie above it.
        items = torch.searchsorted(self._cumulative, spots).clamp_(max=len(self._cumulative) - 1)
        return items, self._log_chances[items]

    def to(self, device: torch.device) -> Sampler:
        """The same sampler, drawing on `device`."""
        self._cumulative = self._cumulative.to(device)
        self._log_chances = self._log_chances.to(device)
        return self
