"""`dkd`: is it the target, and if not, which? Two questions with a weight each.

    L = T² · ( α · TCKD + β · NCKD )
    TCKD = KL( (p_T(t), 1 − p_T(t)) ‖ (p_S(t), 1 − p_S(t)) )         target against all others
    NCKD = KL( p_T(· | not t) ‖ p_S(· | not t) )                     among the others

(Zhao et al. 2022). The chain rule gives KL(p_T ‖ p_S) = TCKD + (1 − p_T(t)) ·
NCKD: plain `kl` silences the second question wherever the teacher is sure of the target.

**Which classes.** A stored signal knows k items and the probability ρ of all others together, so the
classes are these k + 1, on both sides: the k items and the bucket R, with p(R) = 1 − Σ_K p(i).

- *t in the list*: t is a class of its own, and NCKD is over the k − 1 other items and R.
- *t outside the list*: t lies in R, and the teacher's p_T(t) is unknown, between 0 and ρ. The class
  that holds the target is R, so R takes the target's part: TCKD compares (ρ, 1 − ρ) of teacher and
  student, NCKD is over the k listed items. By the chain rule, with c the class of t,

      KL(p_T ‖ p_S) = TCKD + (1 − p_T(c)) · NCKD + ρ · KL( p_T(· | R) ‖ p_S(· | R) )

  and only the last summand, about who is who within R, is left out, in both cases, since no stored
  signal tells it. Nothing is said about the target itself then; that is for `next-item`.

With α = 1 and β = 1 − p_T(c), L is `kl` with `rest: bucket`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.distributions import bucketed_student, bucketed_teacher
from recdistill.distill.objectives.divergences import forward_kl
from recdistill.distill.objectives.requirements import require_stored_temperature
from recdistill.distill.objectives.temperatures import temperature_advice
from recdistill.distill.schedules import Temperature, Weight
from recdistill.models.logits import Logits
from recdistill.signals.kinds import SignalKind


def target_classes(
    items: Int64[Tensor, "positions k"], targets: Int64[Tensor, " positions"]
) -> Int64[Tensor, " positions"]:
    """The column of each target in its list; k, the bucket, where it is not listed."""
    match = items == targets.unsqueeze(-1)
    return torch.where(match.any(-1), match.int().argmax(-1), items.shape[1])


def decoupled(
    teacher: Float[Tensor, "positions classes"],
    student: Float[Tensor, "positions classes"],
    chosen: Int64[Tensor, " positions"],
) -> tuple[Float[Tensor, " positions"], Float[Tensor, " positions"]]:
    """TCKD and NCKD of two distributions (log-probabilities) about a `chosen` class of each row."""
    (asked, others), (asked_student, others_student) = (
        _split(teacher, chosen),
        _split(student, chosen),
    )
    target = forward_kl(asked, asked_student)
    return target, forward_kl(others.log_softmax(-1), others_student.log_softmax(-1))


def _split(
    logs: Float[Tensor, "positions classes"], chosen: Int64[Tensor, " positions"]
) -> tuple[Float[Tensor, "positions 2"], Float[Tensor, "positions classes_minus_1"]]:
    """The binary distribution (chosen, not chosen), and the log-probabilities of the others."""
    columns = torch.arange(logs.shape[1] - 1, device=logs.device)
    chosen = chosen.unsqueeze(-1)
    others = logs.gather(1, columns + (columns >= chosen))
    pair = torch.cat([logs.gather(1, chosen), others.logsumexp(1, keepdim=True)], dim=1)
    return pair, others


class DKD(LogitObjective):
    """Decoupled divergence: about the target, and among the others."""

    kind: Literal["dkd"] = "dkd"
    on: Literal["top-k"] = "top-k"
    alpha: Weight = 1.0
    """α: how much it counts whether it is the target."""
    beta: Weight = 8.0
    """β: how much it counts which of the others it would be."""
    temperature: Temperature = 1.0
    """T; must be the temperature at which the signal was stored, since the bucket is."""

    @property
    def needs_target(self) -> bool:
        """Always: it is about the target."""
        return True

    def check(self, kind: SignalKind | None) -> None:
        """Refuse another temperature than the signal's: its bucket cannot be converted."""
        otherwise = "`{kind: kl, rest: renormalise}`, which needs no bucket"
        require_stored_temperature(self.label, self.temperature, kind, otherwise)

    def advice(self, signal: Signal) -> Iterator[str]:
        """Temperatures that silence the teacher."""
        yield from temperature_advice(signal["logits"], self.temperature)

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """T² · (α · TCKD + β · NCKD) at each position."""
        temperature, items = knobs["temperature"], signal["items"]
        teacher = bucketed_teacher(signal["logits"], signal["rest"], temperature)
        normaliser = logits.log_normaliser(temperature)
        student = bucketed_student(logits.at(items), normaliser, temperature)
        target, others = decoupled(teacher, student, target_classes(items, places.targets))
        return temperature**2 * (knobs["alpha"] * target + knobs["beta"] * others)
