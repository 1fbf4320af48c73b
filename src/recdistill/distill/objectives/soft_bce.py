"""`soft-bce`: every listed item is a question of its own, "would the user like it?", and the
teacher's answer a probability.

    L = T² / k · Σ_{i ∈ K} BCE( σ(z̃_T,i / T), σ(z̃_S,i / T) )
    BCE(q, p) = − q log p − (1 − q) log(1 − p)

the soft labels of models trained with a sigmoid (Lee et al. 2019). A model trained
with a softmax has no zero of its own, and stored logits are relative to the log-normaliser, so what
is "rather yes" must be decided: `scale: centred` puts the zero at the mean of the list, on both
sides. The least value is at z̃_S = z̃_T, and is the mean entropy of the teacher's answers.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.scales import SCALES, Scale
from recdistill.distill.schedules import Temperature
from recdistill.models.logits import Logits


def soft_answers(
    teacher: Float[Tensor, "positions k"], student: Float[Tensor, "positions k"], temperature: float
) -> Float[Tensor, " positions"]:
    """T² · the mean over a row of BCE(σ(z_T / T), σ(z_S / T))."""
    answers = torch.sigmoid(teacher / temperature)
    losses = binary_cross_entropy_with_logits(student / temperature, answers, reduction="none")
    return temperature**2 * losses.mean(-1)


class SoftBCE(LogitObjective):
    """Binary cross-entropy at each of the teacher's best items."""

    kind: Literal["soft-bce"] = "soft-bce"
    on: Literal["top-k"] = "top-k"
    temperature: Temperature = 1.0
    """T: above 1 answers are less sure."""
    scale: Scale = "centred"
    """Where the zero of logits is: where it is stored (`raw`), at the mean of the list (`centred`),
    or there with deviation 1 (`standardised`)."""

    @property
    def dense(self) -> bool:
        """Never: the k items suffice."""
        return False

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The mean over the list at each position."""
        scale = SCALES[self.scale]
        student = scale(logits.at(signal["items"]))
        return soft_answers(scale(signal["logits"]), student, knobs["temperature"])
