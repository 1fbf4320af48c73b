"""`attention-map`: the student is to look where the teacher looks.

    L = mean over pairs of layers, and heads, of D(A_T,i , A_S,i)        A as in `attending`, of queries and keys
    D = KL(A_T,i ‖ A_S,i)                (MiniLM: Wang et al. 2020, section 3.1)
      = Σ_j (A_S,ij − A_T,ij)²           with `distance: mse` (TinyBERT: Jiao et al. 2020, of probabilities)

Attention transfer (Zagoruyko & Komodakis 2017) compares maps that are summed over channels; so here heads are
averaged first, and models may have any number of them. `heads: match` compares head by head.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from recdistill.distill.objectives.attending import (
    MapObjective,
    averaged,
    map_distance,
    relations,
)
from recdistill.errors import ConfigError
from recdistill.models.attention_maps import Maps, map_divergence
from recdistill.models.internals import Anatomy


class AttentionMap(MapObjective):
    """Divergence of attention distributions."""

    kind: Literal["attention-map"] = "attention-map"
    distance: Literal["kl", "mse"] = "kl"
    heads: Literal["average", "match"] = "average"
    """Whether the mean over heads is compared, or each head with the teacher's of the same number."""

    def fit(self, student: Anatomy, teacher: Anatomy) -> None:
        """Refuse layers that are not there, and heads that have no counterpart."""
        super().fit(student, teacher)
        if self.heads == "match" and student.heads != teacher.heads:
            raise ConfigError(
                f"Objective '{self.label}' compares head by head, but the student has {student.heads} and the "
                f"teacher {teacher.heads}.",
                f"Write `heads: average`, or give the student `heads: {teacher.heads}`.",
            )

    def compare(
        self,
        student: Float[Tensor, "rows length 3 heads depth"],
        teacher: Float[Tensor, "rows length 3 teacher_heads teacher_depth"],
    ) -> Float[Tensor, "rows maps length"]:
        """The distance of their maps."""
        distance = map_divergence if self.distance == "kl" else map_distance
        return distance(self._maps(student), self._maps(teacher))

    def _maps(self, parts: Float[Tensor, "rows length 3 heads depth"]) -> Maps:
        maps = relations(parts[:, :, 0], parts[:, :, 1])
        return averaged(maps) if self.heads == "average" else maps
