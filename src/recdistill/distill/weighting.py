"""How the terms of a recipe share the say, beyond the weights that a person gave them.

    fixed           L = Σ w_i L_i
    uncertainty     L = Σ w_i (e^{−s_i} L_i + ½ s_i), with s_i learned    (Kendall, Gal & Cipolla 2018, eq. 10)
    gradient-norm   L = Σ w_i f_i L_i, with f_i = ‖g_1‖ / ‖g_i‖            (the aim of GradNorm: Chen et al. 2018)

where g_i is the gradient of L_i with respect to what all terms share: the student's states and item
vectors. Weights keep their meaning: with `gradient-norm`, a term of weight 0.5 pulls half as hard as the
first term, whatever the size of its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Discriminator, Field, PositiveInt
from torch import Tensor, nn

from recdistill.settings import Settings

Norms = Callable[[], Float[Tensor, " terms"]]
"""Measures the gradient of each term, unweighted; costs about a step of a small batch."""


class Balance(nn.Module):
    """Factors of the terms; this one leaves them all at 1."""

    def __init__(self, labels: Sequence[str]) -> None:
        """`labels` are those of all terms that may ever count."""
        super().__init__()
        self._place = {label: place for place, label in enumerate(labels)}
        self.register_buffer("one", torch.ones(()), persistent=False)

    def factors(self, labels: Sequence[str]) -> Float[Tensor, " terms"]:
        """What each of the terms that count now is multiplied with, beside its weight."""
        return self._one().expand(len(labels))

    def price(self, labels: Sequence[str]) -> Float[Tensor, " terms"]:
        """What each of these terms adds to the loss for its factor."""
        return self._one().expand(len(labels)) * 0

    def observe(self, step: int, labels: Sequence[str], norms: Norms) -> None:
        """Look at the terms before a step, where that is needed."""

    def _one(self) -> Tensor:
        return self.get_buffer("one")

    def _places(self, labels: Sequence[str]) -> Tensor:
        return torch.tensor([self._place[label] for label in labels], device=self._one().device)


class UncertaintyBalance(Balance):
    """A learned log-variance for each term."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(labels)
        self.log_variance = nn.Parameter(torch.zeros(len(labels)))

    def factors(self, labels: Sequence[str]) -> Float[Tensor, " terms"]:
        """Precise terms count more."""
        return torch.exp(-self.log_variance[self._places(labels)])

    def price(self, labels: Sequence[str]) -> Float[Tensor, " terms"]:
        """What keeps the variances from growing without end."""
        return 0.5 * self.log_variance[self._places(labels)]


class NormBalance(Balance):
    """A running mean of each term's gradient norm."""

    norms: Tensor

    def __init__(self, labels: Sequence[str], every: int, memory: float) -> None:
        super().__init__(labels)
        self._every, self._memory = every, memory
        self.register_buffer("norms", torch.zeros(len(labels)))

    def factors(self, labels: Sequence[str]) -> Float[Tensor, " terms"]:
        """The first term keeps its size; a term whose gradient vanishes is left as it is."""
        norms = self.norms[self._places(labels)]
        known = (norms > 0) & (norms[0] > 0)
        return torch.where(known, norms[0] / norms.clamp_min(torch.finfo(norms.dtype).tiny), 1.0)

    @torch.no_grad()
    def observe(self, step: int, labels: Sequence[str], norms: Norms) -> None:
        """Measure anew when it is time, or when a term counts for the first time."""
        places = self._places(labels)
        before = self.norms[places]
        if step % self._every and bool((before > 0).all()):
            return
        with torch.enable_grad():
            now = norms().detach()
        smooth = torch.where(before > 0, self._memory * before + (1 - self._memory) * now, now)
        self.norms[places] = smooth


class Fixed(Settings):
    """The weights as they are written."""

    kind: Literal["fixed"] = "fixed"

    def balance(self, labels: Sequence[str]) -> Balance:
        """Nothing to learn."""
        return Balance(labels)


class Uncertainty(Settings):
    """Learned with the student: terms of large loss are taken for noisy ones and count less."""

    kind: Literal["uncertainty"] = "uncertainty"

    def balance(self, labels: Sequence[str]) -> Balance:
        """One log-variance a term, from 0 on."""
        return UncertaintyBalance(labels)


class GradientNorm(Settings):
    """Every term pulls as hard as its weight says."""

    kind: Literal["gradient-norm"] = "gradient-norm"
    every: PositiveInt = 20
    """Steps between two looks at the gradients."""
    memory: float = Field(default=0.9, ge=0, lt=1)
    """How much of the earlier norms a look keeps."""

    def balance(self, labels: Sequence[str]) -> Balance:
        """Norms, measured from the first step on."""
        return NormBalance(labels, self.every, self.memory)


Weighting = Annotated[Fixed | Uncertainty | GradientNorm, Discriminator("kind")]
"""`{kind: fixed | uncertainty | gradient-norm}`."""
