"""`experts`: several small nets, each for a part of the teacher's space, tell the teacher's vectors
from the student's.

    L = 1/d · ‖ṽ_T − Σ_m s_m E_m(v_S)‖²      s = softmax((log a + g) / T),  a = softmax(A v_T + b)

Distillation experts (DE, of DE-RRD: Kang et al. 2020). The gate a chooses by the *teacher's*
vector, g is Gumbel noise, and the temperature T falls with time, so that every expert is tried
early and each vector has one of its own in the end. One net for all (a hint) mixes what unlike
vectors have to say. ṽ_T is the teacher's vector minus the mean, over one factor for all, so that
the loss is the share of the teacher's variance that is not told: 1 is what knowing nothing gives.
Gate and experts are dropped after training.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import AfterValidator, Field, PositiveInt
from torch import Tensor, nn

from recdistill.distill.objectives.bridges import Standardising
from recdistill.distill.objectives.contract import Knobs, Signal, VectorObjective
from recdistill.distill.schedules import Linear, Schedule, Within
from recdistill.models.geometry import squared_distance

GateTemperature = Annotated[Schedule, AfterValidator(Within(0.001))]
"""How soft a choice is: at least a thousandth, where it has long been hard."""

_ANNEALED = Linear.model_validate({"from": 1.0, "to": 0.1})


def mixture(
    hidden: Float[Tensor, "rows experts inner"],
    shares: Float[Tensor, "rows experts"],
    weights: Float[Tensor, "experts inner width"],
    biases: Float[Tensor, "experts width"],
) -> Float[Tensor, "rows width"]:
    """Σ_m s_m (h_m W_m + b_m): the last layer of every expert, each by its share.

    The shares are taken out on the narrow side, so that rows × experts × width is never made.
    """
    shared = (shares.unsqueeze(-1) * hidden).flatten(1)
    return shared @ weights.flatten(0, 1) + shares @ biases


class Experts(nn.Module):
    """Two-layer nets from the student's space to the teacher's, and the gate that picks among them."""

    def __init__(
        self, width: int, teacher: Float[Tensor, "rows teacher_width"], count: int, inner: int
    ) -> None:
        super().__init__()
        self.target = Standardising(teacher)
        self.gate = nn.Linear(teacher.shape[1], count)
        self.first = nn.Linear(width, count * inner)
        self.weights = nn.Parameter(torch.empty(count, inner, teacher.shape[1]))
        self.biases = nn.Parameter(torch.zeros(count, teacher.shape[1]))
        nn.init.uniform_(self.weights, -(inner**-0.5), inner**-0.5)  # as `nn.Linear` begins

    def choice(self, teacher: Float[Tensor, "rows teacher_width"]) -> Int64[Tensor, " rows"]:
        """The likeliest expert of each row, without noise."""
        return self.gate(self.target(teacher)).argmax(-1)

    def forward(
        self,
        student: Float[Tensor, "rows width"],
        teacher: Float[Tensor, "rows teacher_width"],
        temperature: float,
    ) -> Float[Tensor, " rows"]:
        """The share of each row's teacher that the chosen experts do not tell."""
        target = self.target(teacher)
        shares = nn.functional.gumbel_softmax(self.gate(target), temperature)
        hidden = torch.relu(self.first(student)).unflatten(-1, self.weights.shape[:2])
        return squared_distance(mixture(hidden, shares, self.weights, self.biases), target)


class DistillationExperts(VectorObjective):
    """Reconstruction of the teacher's vectors by experts that the teacher's vector chooses."""

    kind: Literal["experts"] = "experts"
    experts: int = Field(default=10, ge=2)
    """How many; one alone is `align`."""
    temperature: GateTemperature = _ANNEALED
    """T, how soft the choice of experts is."""
    inner: PositiveInt = 64
    """The width of each expert's hidden layer."""

    def advice(self, signal: Signal) -> Iterator[str]:
        """More experts than there are different vectors."""
        different = len(signal["vectors"].unique(dim=0))
        if self.experts > different:
            yield (
                f"{self.experts} experts for {different} different vectors of the teacher: each "
                f"would learn one by heart; use at most {max(2, different // 10)}."
            )

    def bridge(self, width: int, teacher: Float[Tensor, "rows teacher_width"]) -> Experts:
        """The experts and their gate."""
        return Experts(width, teacher, self.experts, self.inner)

    def __call__(
        self,
        student: Float[Tensor, "rows width"],
        teacher: Float[Tensor, "rows teacher_width"],
        bridge: Experts,
        knobs: Knobs,
    ) -> Float[Tensor, " rows"]:
        """The share of each row's teacher that is not told."""
        return bridge(student, teacher, knobs["temperature"])
