"""`topology`: who is similar to whom is to be the same for the student as for the teacher.

    L_i = mean over (i, j) in R of (cos(v_S,i, v_S,j) − cos(v_T,i, v_T,j))²

Topology distillation (Kang et al. 2021). `full` (FTD): R is every pair of the batch.
`hierarchical` (HTD): a small student cannot hold every relation, so R is only i with the
others of its own group, and i with the centre of every group. Groups are what the experts of the
student are good at: a gate assigns each row by the teacher's vector, and is learned by
reconstructing the teacher's vectors (see `experts`), which adds α · ‖·‖² to the loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator
from torch import Tensor, nn

from recdistill.distill.objectives.contract import Knobs, Signal, VectorObjective
from recdistill.distill.objectives.experts import Experts, GateTemperature
from recdistill.models.geometry import cosines, mean_over, others

_ALIKE = 0.8
"""A mean cosine above this: all vectors point the same way."""


def full_topology(
    student: Float[Tensor, "rows width"], teacher: Float[Tensor, "rows teacher_width"]
) -> Float[Tensor, " rows"]:
    """Each row's mean squared difference of its cosines with all other rows."""
    return mean_over(_difference(student, teacher), others(student))


def hierarchical_topology(
    student: Float[Tensor, "rows width"],
    teacher: Float[Tensor, "rows teacher_width"],
    groups: Int64[Tensor, " rows"],
) -> Float[Tensor, " rows"]:
    """The same over the other rows of the row's group and the centres of all groups there are.

    Args:
        student: vectors; gradients flow through the centres too.
        teacher: vectors of the same rows.
        groups: the group of each row.
    """
    member = (groups[:, None] == groups.unique()[None, :]).to(student.dtype)
    centring = member.T / member.sum(0)[:, None]
    within = (groups[:, None] == groups[None, :]) & others(student)
    across = (cosines(student, centring @ student) - cosines(teacher, centring @ teacher)).square()
    relations = torch.cat([_difference(student, teacher), across], 1)
    return mean_over(relations, torch.cat([within, torch.ones_like(across).bool()], 1))


def _difference(
    student: Float[Tensor, "rows width"], teacher: Float[Tensor, "rows teacher_width"]
) -> Float[Tensor, "rows rows"]:
    return (cosines(student, student) - cosines(teacher, teacher)).square()


class Topology(VectorObjective):
    """Similarities among the student's vectors against those among the teacher's."""

    kind: Literal["topology"] = "topology"
    structure: Literal["full", "hierarchical"] = "full"
    """`full` for a student about as wide as its teacher, `hierarchical` for a much smaller one."""
    groups: int = Field(default=30, ge=2)
    """How many groups there may be; `hierarchical` only, like all that follows."""
    assignment: NonNegativeFloat = 1.0
    """α, how much reconstructing the teacher's vectors counts, by which groups are learned."""
    temperature: GateTemperature = 0.1
    """How soft the choice of a group is while it is learned."""
    inner: PositiveInt = 64
    """The width of each expert's hidden layer."""
    sample: int = Field(default=512, ge=2)
    """The most pairs compared a step, drawn among the items (or positions) of the batch."""

    @model_validator(mode="after")
    def _groups_only_where_there_are_any(self) -> Topology:
        for name in ("groups", "assignment", "temperature", "inner"):
            changed = getattr(self, name) != type(self).model_fields[name].default
            if changed and self.structure == "full":
                raise ValueError(f"`{name}` is about groups; it needs `structure: hierarchical`")
        return self

    def advice(self, signal: Signal) -> Iterator[str]:
        """A teacher all of whose vectors point the same way."""
        vectors = signal["vectors"].float()
        if len(vectors) < 2:
            return
        alike = cosines(vectors, vectors)[others(vectors)].mean().item()
        if alike > _ALIKE:
            yield (
                f"the teacher's vectors all point the same way (mean cosine {alike:.2f}), so their "
                "cosines say little; use `relation`, which looks at differences."
            )

    def bridge(self, width: int, teacher: Float[Tensor, "rows teacher_width"]) -> nn.Module:
        """Nothing for the full topology; the experts whose gate assigns groups otherwise."""
        if self.structure == "full":
            return nn.Identity()
        return Experts(width, teacher, self.groups, self.inner)

    def __call__(
        self,
        student: Float[Tensor, "rows width"],
        teacher: Float[Tensor, "rows teacher_width"],
        bridge: nn.Module,
        knobs: Knobs,
    ) -> Float[Tensor, " rows"]:
        """What each row's similarities to the others are off."""
        if not isinstance(bridge, Experts):
            return full_topology(student, teacher)
        loss = hierarchical_topology(student, teacher, bridge.choice(teacher))
        reconstruction = bridge(student, teacher, knobs["temperature"])
        return loss + self.assignment * reconstruction
