"""`soft-cross-entropy`: the teacher's probabilities are the labels, and the whole catalogue the
classes.

    L = − T² · Σ_{i ∈ K} p_T(i) · log p_S(i)
    p_T = softmax over K of z_T / T,   p_S = softmax over the catalogue of z_S / T

(Hinton, Vinyals & Dean 2015, section 2). Items outside the list are labelled 0, so they are pushed
down, which `kl` with `rest: renormalise` leaves to other terms. With m = Σ_K p_S(i) the student's
probability of the list, and KL over the list renormalised on both sides,

    L = T² · ( H(p_T) + KL(p_T ‖ p_S / m) − log m )

so the least value is T² · H(p_T), where the student is the teacher within the list and gives nothing
to the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.coverage import coverage_advice
from recdistill.distill.objectives.distributions import renormalised
from recdistill.distill.objectives.temperatures import temperature_advice
from recdistill.distill.schedules import Temperature
from recdistill.models.logits import Logits


def cross_entropy(
    teacher: Float[Tensor, "positions k"], student: Float[Tensor, "positions k"]
) -> Float[Tensor, " positions"]:
    """− Σ p_T log p_S of log-probabilities."""
    return -(teacher.exp() * student).sum(-1)


class SoftCrossEntropy(LogitObjective):
    """Cross-entropy against the teacher's best items, each as much the answer as it is probable."""

    kind: Literal["soft-cross-entropy"] = "soft-cross-entropy"
    on: Literal["top-k"] = "top-k"
    temperature: Temperature = 1.0
    """T, of labels and student alike."""

    def advice(self, signal: Signal) -> Iterator[str]:
        """Temperatures that silence the teacher, and lists too short to be all the answers."""
        yield from temperature_advice(signal["logits"], self.temperature)
        yield from coverage_advice(signal, "`{kind: kl, rest: bucket}`")

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """T² times the cross-entropy at each position."""
        temperature = knobs["temperature"]
        listed = logits.at(signal["items"]) / temperature
        student = listed - logits.log_normaliser(temperature).unsqueeze(-1)
        teacher = renormalised(signal["logits"], temperature)
        return temperature**2 * cross_entropy(teacher, student)
