"""`ranking`: the teacher's first items are positives, the higher the more.

    L = − Σ_{r ≤ K} w_r · log P(item r),    w_r = a_r · b_r
    a_r = exp(−r / λ) / Σ_{s ≤ K} exp(−s / λ)                     position
    b_r = tanh( max( μ · (r̂_r − r), 0 ) )                         discrepancy, with μ > 0

(RD: Tang & Wang 2018, eq. 8 and 9). r̂_r is where the student ranks the item, without gradients: exactly
within the list, and by a sample of what lies outside. Items that the student ranks well enough already
count for nothing. As in the authors' code, the product of the weights is not normalised again, so the
term fades as the student learns.

P is a sigmoid, σ(z), as in the paper, or a softmax over the catalogue. The sigmoid only ever pushes
up; the students here are trained with a softmax, which has no zero for a sigmoid to be relative to.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import AfterValidator, PositiveInt
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.likelihood import Likelihood, item_losses
from recdistill.distill.objectives.ranks import Reach, log_interest, student_ranks
from recdistill.distill.objectives.requirements import require_listed
from recdistill.distill.schedules import Schedule, Within
from recdistill.models.logits import Logits
from recdistill.signals.kinds import SignalKind


def discrepancy_weights(
    ranks: Float[Tensor, "positions k"], sharpness: float
) -> Float[Tensor, "positions k"]:
    """b of the items that a teacher ranks 1 … k and a student as given; all 1 when μ is 0."""
    if sharpness == 0:
        return torch.ones_like(ranks)
    wanted = torch.arange(1, ranks.shape[1] + 1, device=ranks.device)
    return torch.tanh(sharpness * (ranks - wanted).clamp_min(0))


class Ranking(LogitObjective):
    """Weighted likelihood of the teacher's first items, one by one."""

    kind: Literal["ranking"] = "ranking"
    on: Literal["top-k"] = "top-k"
    top: PositiveInt = 10
    """K: how many of the listed items are taken for positives."""
    reach: Reach = 1.0
    """λ, in ranks: how fast positions lose weight."""
    discrepancy: Annotated[Schedule, AfterValidator(Within(0.0))] = 0.1
    """μ: how fast an item gains weight as the student ranks it too low; 0 counts all alike."""
    samples: PositiveInt = 100
    """Items drawn outside the list of each position to estimate the student's ranks."""
    likelihood: Likelihood = "sigmoid"
    """Whether each item is judged by itself or against the whole catalogue."""

    @property
    def dense(self) -> bool:
        """Only a softmax needs the whole catalogue."""
        return self.likelihood == "softmax"

    def check(self, kind: SignalKind | None) -> None:
        """Refuse more positives than the signal lists."""
        require_listed(self.label, "top", self.top, kind)

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The weighted sum over the first items at each position."""
        scores = logits.at(signal["items"])
        head = scores[:, : self.top]
        weights = log_interest(head, knobs["reach"]).softmax(0)
        if knobs["discrepancy"]:
            _, ranks = student_ranks(logits, signal["items"], scores, self.samples)
            weights = weights * discrepancy_weights(ranks[:, : len(weights)], knobs["discrepancy"])
        return (weights * item_losses(logits, head, self.likelihood)).sum(-1)
