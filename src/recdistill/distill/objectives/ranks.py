"""Ranks: how much each counts, and where the student puts an item, without sorting the catalogue."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float, Int64
from pydantic import AfterValidator
from torch import Tensor

from recdistill.distill.objectives.draws import outside
from recdistill.distill.schedules import Schedule, Within
from recdistill.models.logits import Logits

Reach = Annotated[Schedule, AfterValidator(Within(0.0, open=True))]
"""λ of exp(−r / λ), in ranks: how far down a list interest reaches; greater than 0."""


def log_interest(scores: Float[Tensor, "positions k"], reach: float) -> Float[Tensor, " k"]:
    """−r / λ for the ranks r = 1 … k of a list as long as `scores` is wide."""
    ranks = torch.arange(1, scores.shape[1] + 1, device=scores.device, dtype=scores.dtype)
    return -ranks / reach


def stratified_ranks(
    scores: Float[Tensor, "positions k"], stands_for: Float[Tensor, " k"]
) -> Float[Tensor, "positions k"]:
    """1 + how many items score higher, where each of the k stands for so many of its like.

    With a stratum listed in full (each stands for 1) and one sampled (each stands for the size of
    the stratum / the size of the sample), that is an unbiased estimate of the rank of a listed item
    among all. The first of equals is the higher.
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    weights = stands_for[order]
    above = weights.cumsum(1) - weights
    return torch.empty_like(scores).scatter_(1, order, 1 + above)


def student_ranks(
    logits: Logits,
    items: Int64[Tensor, "positions k"],
    scores: Float[Tensor, "positions k"],
    samples: int,
) -> tuple[Int64[Tensor, "positions k_plus_samples"], Float[Tensor, "positions k_plus_samples"]]:
    """Where the student ranks the listed items, and others drawn outside the list, in the
    catalogue.

    Args:
        logits: the student's, on request.
        items: the list of each position.
        scores: the student's logits of these.
        samples: how many others are drawn, each position for itself; exact within the list, so only
            what lies outside is estimated.

    Returns:
        The listed items followed by the drawn, and the ranks of both, without gradients.
    """
    others = outside(items, logits.items, samples)
    beyond = logits.items - items.shape[1]
    with torch.no_grad():
        every = torch.cat([scores.detach(), logits.at(others)], dim=1)
    stands_for = torch.ones_like(every[0])
    stands_for[items.shape[1] :] = beyond / max(samples, 1)
    return torch.cat([items, others], dim=1), stratified_ranks(every, stands_for)
