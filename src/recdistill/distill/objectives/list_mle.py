"""`list-mle`: the teacher's order is to be likely.

    L = − Σ_{r ≤ m} w_r · [ s_r − log( Σ_{r ≤ i ≤ k} exp s_i + B ) ]

the negative log-likelihood of the order by Plackett–Luce (Xia et al. 2008). Only
the first m ranks of the list need be in order, what is listed below them is a tie (`top`; Xia, Liu & Li
2009). The weights w sum to 1: all alike, or falling as 1 / log2(1 + r), the discount of NDCG (position-
aware ListMLE: Lan et al. 2014, who leave the weights open and take 2^(k−r) − 1 in
their experiments, under which only the very first ranks of a long list exist).

With `rest: below`, B is Σ exp s over every item of the catalogue that is not listed: all of them come
after the list, as a tie. That is `relaxed-ranking` without sampling.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.distributions import bucketed_student
from recdistill.distill.objectives.plackett_luce import choice_log_likelihoods
from recdistill.distill.objectives.requirements import require_listed
from recdistill.models.logits import Logits
from recdistill.signals.kinds import SignalKind

Discount = Literal["none", "logarithmic"]
"""How much the choice at each rank counts."""


def rank_weights(scores: Float[Tensor, "positions k"], discount: Discount) -> Float[Tensor, " k"]:
    """w of the ranks 1 … k; they sum to 1."""
    ranks = torch.arange(1, scores.shape[1] + 1, device=scores.device, dtype=scores.dtype)
    weights = torch.ones_like(ranks) if discount == "none" else 1 / torch.log2(1 + ranks)
    return weights / weights.sum()


class ListMLE(LogitObjective):
    """Likelihood of the teacher's whole order, or of its head."""

    kind: Literal["list-mle"] = "list-mle"
    on: Literal["top-k"] = "top-k"
    top: PositiveInt | None = None
    """m: how many of the first ranks must be in order; all of the list when not given."""
    discount: Discount = "none"
    """Whether the choices at lower ranks count less."""
    rest: Literal["ignore", "below"] = "ignore"
    """Whether items outside the list are left out, or all come after it."""

    @property
    def dense(self) -> bool:
        """Only when the rest of the catalogue comes after the list."""
        return self.rest == "below"

    def check(self, kind: SignalKind | None) -> None:
        """Refuse a head longer than the list."""
        require_listed(self.label, "top", self.top or 1, kind)

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The weighted negative log-likelihood of the choices at each position."""
        scores = logits.at(signal["items"])
        head = min(self.top or scores.shape[1], scores.shape[1])
        if self.rest == "below":
            scores = bucketed_student(scores, logits.log_normaliser(), 1.0)
        ordered = scores[:, :head]
        likelihoods = choice_log_likelihoods(ordered, scores[:, head:])
        return -(rank_weights(ordered, self.discount) * likelihoods).sum(-1)
