"""Against which texts the next one is held: those of a batch, or the catalogue's."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.training.step import TorchBatch

Drawn = tuple[Int64[Tensor, " drawn"], Float[Tensor, " drawn"]]
"""Texts, ascending and each once, the batch's targets among them; and the logarithm of how much each counts."""


class Others(Protocol):
    """Draws the texts that a batch's next ones are held against."""

    def __call__(self, batch: TorchBatch) -> Drawn:
        """For one step."""
        ...


class OfBatch:
    """The batch's targets. They come in proportion to their popularity q, so each of n drawn counts 1/(n q) (logQ:
    Bengio & Senécal 2008; Yi et al. 2019)."""

    def __init__(self, counts: Float[Tensor, " texts"]) -> None:
        """`counts`: how often each text is in the log."""
        self._log_chances = (counts.double() / counts.sum()).log().float()

    def __call__(self, batch: TorchBatch) -> Drawn:
        """Every distinct target, as often as it is there."""
        drawn, times = batch.targets.unique(return_counts=True)
        chances = self._log_chances.to(drawn.device)[drawn]
        return drawn, times.log() - math.log(len(batch)) - chances


class OfCatalogue:
    """Texts of the catalogue, drawn alike and with replacement, each of n counting texts/n: the sum over the catalogue
    without bias. All of them, once, where as many are asked for as there are."""

    def __init__(self, texts: int, number: int) -> None:
        """`texts`: how many there are; `number`: how many are drawn."""
        self._texts, self._number = texts, number

    def __call__(self, batch: TorchBatch) -> Drawn:
        """The batch's targets are there too, and count where they were drawn."""
        device = batch.targets.device
        if self._number >= self._texts:
            return torch.arange(self._texts, device=device), torch.zeros(self._texts, device=device)
        sample = torch.randint(self._texts, (self._number,)).to(device)
        drawn = torch.cat([batch.targets, sample]).unique()
        times = torch.bincount(torch.searchsorted(drawn, sample), minlength=len(drawn))
        return drawn, times.log() + math.log(self._texts / self._number)
