"""`margin-mse`: how much better one item is than the others, in the teacher's numbers.

    L = 1/(k − 1) · Σ_{j ∈ K, j ≠ +} ( (z_S,+ − z_S,j) − (z_T,+ − z_T,j) )²

(Hofstätter et al. 2020). The item + is the one that was
chosen next, or the teacher's best. Only differences count, so student and teacher may put their zero
where they like. Averaged over *every* + of the list, L is 2k / (k − 1) times `mse` with
`scale: centred`, so there is no such option.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.scales import standardised
from recdistill.models.logits import Logits


def margin_error(
    teacher: Float[Tensor, "positions k"],
    student: Float[Tensor, "positions k"],
    positive: Bool[Tensor, "positions k"],
) -> Float[Tensor, " positions"]:
    """The mean squared difference of margins between the positive item and the others.

    With d = z_S − z_T, the difference of two margins is d_+ − d_j; 0 where no item is positive.
    """
    errors = student - teacher
    best = torch.where(positive, errors, 0.0).sum(-1, keepdim=True)
    margins = torch.where(positive.any(-1, keepdim=True), best - errors, 0.0)
    return margins.square().sum(-1) / max(errors.shape[1] - 1, 1)


class MarginMSE(LogitObjective):
    """Squared error of the margins by which an item beats the rest of the teacher's list."""

    kind: Literal["margin-mse"] = "margin-mse"
    on: Literal["top-k"] = "top-k"
    positive: Literal["target", "best"] = "target"
    """`target`: the item chosen next, where the teacher lists it (elsewhere its margin is unknown,
    and the loss 0); `best`: the teacher's first."""
    standardise: bool = False
    """Whether both sides' logits of the list are first brought to mean 0 and deviation 1."""

    @property
    def dense(self) -> bool:
        """Never: the k items suffice."""
        return False

    @property
    def needs_target(self) -> bool:
        """Only where the target is the positive item."""
        return self.positive == "target"

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The mean squared difference of margins at each position."""
        items = signal["items"]
        positives = places.targets if self.positive == "target" else items[:, 0]
        teacher, student = signal["logits"], logits.at(items)
        if self.standardise:
            teacher, student = standardised(teacher), standardised(student)
        return margin_error(teacher, student, items == positives.unsqueeze(-1))
