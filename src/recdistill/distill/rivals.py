"""Numbers that are learned against the student: what it lowers, they raise, so that its lessons grow harder.

A number is low + (high − low) · σ(θ), and θ gets the gradient of the loss times −λ: the gradient reversal of Ganin &
Lempitsky (2015, eq. 12–15) as Li et al. use it for temperatures (2023, "Curriculum temperature for knowledge
distillation", eq. 5–8), with λ from 0 to 1 along half a cosine, so that the rival begins as a spectator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recdistill.distill.objectives.contract import Knobs, Objective
from recdistill.distill.schedules import Adversarial


class _Reversal(torch.autograd.Function):
    """Itself on the way forward; backward, the gradient times −λ."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def strength(progress: float, ramp: float) -> float:
    """λ: (1 − cos(π · progress / ramp)) / 2, and 1 from `ramp` on."""
    return (1 - math.cos(math.pi * min(progress / ramp, 1.0))) / 2


class Rivals(nn.Module):
    """The learned numbers of all objectives of one loss; kept in its checkpoints."""

    def __init__(self, objectives: Iterable[Objective]) -> None:
        """Each begins at its `from`."""
        super().__init__()
        self._places: dict[tuple[str, str], int] = {}
        self._bare = nn.ParameterList()
        for objective in objectives:
            for name, rival in _rivals(objective).items():
                self._places[objective.label, name] = len(self._bare)
                share = (rival.from_ - rival.low) / (rival.high - rival.low)
                self._bare.append(nn.Parameter(torch.tensor(math.log(share / (1 - share)))))

    def among(self, knobs: Knobs, objective: Objective, progress: float) -> Knobs:
        """`knobs` of `objective`, those that are learned as they stand now; gradients flow, turned round."""
        found = {
            name: self._number(objective.label, name, rival, progress)
            for name, rival in _rivals(objective).items()
        }
        return {**knobs, **found}

    def _number(
        self, label: str, name: str, rival: Adversarial, progress: float
    ) -> Float[Tensor, ""]:
        bare = self._bare[self._places[label, name]]
        turned = cast(Tensor, _Reversal.apply(bare, strength(progress, rival.ramp)))
        return rival.low + (rival.high - rival.low) * torch.sigmoid(turned)


def _rivals(objective: Objective) -> dict[str, Adversarial]:
    fields = {name: getattr(objective, name) for name in type(objective).model_fields}
    return {name: value for name, value in fields.items() if isinstance(value, Adversarial)}
