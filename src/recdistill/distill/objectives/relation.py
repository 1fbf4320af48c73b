"""`relation`: the student's vectors are to lie to one another as the teacher's do.

    L_i = λ_D · mean_j     h(ψ_S(i, j)    − ψ_T(i, j))       ψ(i, j) = ‖v_i − v_j‖ / μ
        + λ_A · mean_j,k   h(φ_S(j, i, k) − φ_T(j, i, k))    φ(j, i, k) = cos ∠(v_j v_i v_k)

over all j (and k) of the batch other than i and one another, with μ the mean distance of two rows
and h the Huber loss of threshold 1 (relational knowledge distillation: Park et al. 2019, section
3.2).
Distances are compared in units of their mean, angles have none, so neither side needs to be
shifted, scaled, turned or projected to be compared with the other: the widths may differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, model_validator
from torch import Tensor, nn

from recdistill.distill.objectives.contract import Knobs, Signal, VectorObjective
from recdistill.models.geometry import inverse, mean_over, others, root

_MANY = 0.1
"""A greater share of vectors that equal another is worth a word."""


def squared_distances(vectors: Float[Tensor, "rows width"]) -> Float[Tensor, "rows rows"]:
    """‖v_i − v_j‖² of all pairs; what rounding cannot tell from 0 is 0."""
    shifted = vectors - vectors.mean(0)
    products = shifted @ shifted.T
    lengths = products.diagonal()
    squares = lengths[:, None] + lengths[None, :] - 2 * products
    rounding = 8 * torch.finfo(vectors.dtype).eps * (lengths[:, None] + lengths[None, :])
    return torch.where(squares > rounding, squares, 0.0) * others(vectors)


def relative_distances(squares: Float[Tensor, "rows rows"]) -> Float[Tensor, "rows rows"]:
    """ψ: the distances over their mean (0 where all rows lie in one place)."""
    distances = root(squares)
    pairs = max(len(squares) * (len(squares) - 1), 1)
    return distances * inverse(distances.sum() / pairs)


def angles(squares: Float[Tensor, "rows rows"]) -> Float[Tensor, "rows rows rows"]:
    """φ: entry [i, j, k] is the cosine of the angle at i between j and k.

    By the law of cosines, so that the cost is rows³ whatever the width; 0 where j or k lies at i.
    """
    sides = inverse(root(squares))
    twice = squares[:, :, None] + squares[:, None, :] - squares[None, :, :]
    return 0.5 * twice * sides[:, :, None] * sides[:, None, :]


def distance_loss(
    student: Float[Tensor, "rows rows"], teacher: Float[Tensor, "rows rows"]
) -> Float[Tensor, " rows"]:
    """Each row's mean Huber loss of ψ, from squared distances."""
    pair = relative_distances(student), relative_distances(teacher)
    return mean_over(_huber(*pair), others(student))


def angle_loss(
    student: Float[Tensor, "rows rows"], teacher: Float[Tensor, "rows rows"]
) -> Float[Tensor, " rows"]:
    """Each row's mean Huber loss of φ at it, from squared distances; 0 for fewer than 3 rows."""
    other = others(student)
    distinct = other[:, :, None] & other[:, None, :] & other[None, :, :]
    return mean_over(_huber(angles(student), angles(teacher)), distinct)


def _huber(
    student: Float[Tensor, "*shape"], teacher: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    return nn.functional.huber_loss(student, teacher, reduction="none")


class Relation(VectorObjective):
    """Distances and angles among the student's vectors against those among the teacher's."""

    kind: Literal["relation"] = "relation"
    distance: NonNegativeFloat = 1.0
    """λ_D, the share of distances."""
    angle: NonNegativeFloat = 2.0
    """λ_A, the share of angles; their cost grows with the cube of `sample`."""
    sample: int = Field(default=64, ge=3, le=512)
    """The most pairs compared a step, drawn among the items (or positions) of the batch; at least
    3, since it takes three points to make an angle."""

    @model_validator(mode="after")
    def _compares_something(self) -> Relation:
        if self.distance == self.angle == 0:
            raise ValueError("`distance` and `angle` are both 0, so nothing would be compared")
        return self

    def advice(self, signal: Signal) -> Iterator[str]:
        """Many equal vectors: the student is asked to fold what it should tell apart."""
        vectors = signal["vectors"]
        equal = 1 - len(vectors.unique(dim=0)) / len(vectors)
        if equal > _MANY:
            yield (
                f"{100 * equal:.0f} % of the teacher's vectors equal another, and the student is "
                "taught not to tell these apart; look at the texts they were made from, or lower "
                "the weight."
            )

    def bridge(self, width: int, teacher: Float[Tensor, "rows teacher_width"]) -> nn.Module:
        """Nothing: either side stays in its own space."""
        return nn.Identity()

    def __call__(
        self,
        student: Float[Tensor, "rows width"],
        teacher: Float[Tensor, "rows teacher_width"],
        bridge: nn.Module,
        knobs: Knobs,
    ) -> Float[Tensor, " rows"]:
        """What each row's relations to the others are off."""
        squares = squared_distances(student), squared_distances(teacher)
        loss = self.distance * distance_loss(*squares)
        return loss + self.angle * angle_loss(*squares) if self.angle else loss
