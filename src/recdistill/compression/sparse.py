"""Unstructured pruning: single weights that are zero and stay zero while the rest learns on."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from recdistill.compression.importance.contract import Evidence
from recdistill.compression.importance.taylor import slopes
from recdistill.compression.settings import Weights

Place = tuple[nn.Module, str]
"""A module and the name of a parameter of its own."""


class Masked(nn.Module):
    """A weight times its mask, wherever it is read.

    `torch.nn.utils.prune` sets the product before a module is called; our products read weights without calling
    (`models.products.linear`), so the product is taken when the weight is read.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        """What is left of `weight`."""
        return weight * self.mask


def matrices(network: nn.Module) -> list[Place]:
    """Every matrix that a network learned; vectors (biases, norms) are few and stay."""
    return [
        (part, name)
        for part in network.modules()
        for name, value in part.named_parameters(recurse=False)
        if value.dim() == 2
    ]


def masks(places: Sequence[Place], keep: float, scores: Sequence[Tensor] | None) -> list[Tensor]:
    """Which weights stay: the share `keep` of all matrices together, by `scores`, or by how large they are.

    Chosen by `torch.nn.utils.prune.global_unstructured`; the matrices are as before afterwards.
    """
    whole = [getattr(*place).detach().clone() for place in places]
    given = scores and dict(zip(places, scores, strict=True))
    prune.global_unstructured(
        list(places),
        pruning_method=prune.L1Unstructured,
        importance_scores=given,
        amount=1.0 - keep,
    )
    found = [getattr(part, f"{name}_mask").bool() for part, name in places]
    for (part, name), before in zip(places, whole, strict=True):
        prune.remove(part, name)
        getattr(part, name).data.copy_(before)
    return found


@contextmanager
def held(network: nn.Module, wanted: Weights, evidence: Evidence) -> Generator[None]:
    """Inside the block, weights that matter least are zero for everybody who reads them; after it they are zero."""
    places = matrices(network)
    scores = _slopes(network, places, evidence) if wanted.by == "taylor" else None
    for (part, name), mask in zip(places, masks(places, wanted.keep, scores), strict=True):
        parametrize.register_parametrization(part, name, Masked(mask))
    try:
        yield
    finally:
        for part, name in places:
            parametrize.remove_parametrizations(part, name, leave_parametrized=True)


def _slopes(network: nn.Module, places: Sequence[Place], evidence: Evidence) -> list[Tensor]:
    """The mean square of w · ∂L/∂w, what the loss would notice of each weight (Molchanov et al. 2019, equation 8)."""
    weights = [getattr(*place) for place in places]
    sums = [torch.zeros_like(weight) for weight in weights]
    for gradients in slopes(network, evidence):
        for total, weight in zip(sums, weights, strict=True):
            total += (weight.detach() * gradients[weight]).square() / len(evidence.batches)
    return sums
