"""`value-relation`: how the teacher's queries, keys and values of a history lie to one another.

    L = mean over relations, and relation heads, of KL(R_T,i ‖ R_S,i)      R as in `attending`

Of queries among themselves, keys among themselves and values among themselves (MiniLMv2: Wang et al. 2021,
section 3.1); MiniLM (Wang et al. 2020, section 3.2) has values among themselves beside the attention map, which is
`query-key` here. Heads are joined and cut anew into `relation_heads`, so that models of other head counts and
widths can be compared, with nothing to learn between them.
"""

from __future__ import annotations

from math import gcd
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor

from recdistill.distill.objectives.attending import MapObjective, map_divergence, relations
from recdistill.errors import ConfigError
from recdistill.models.internals import Anatomy

Relation = Literal["query-query", "key-key", "value-value", "query-key"]
_SIDES: dict[Relation, tuple[int, int]] = {
    "query-query": (0, 0),
    "key-key": (1, 1),
    "value-value": (2, 2),
    "query-key": (0, 1),
}


class ValueRelation(MapObjective):
    """Divergence of self-attention relations."""

    kind: Literal["value-relation"] = "value-relation"
    relations: Annotated[tuple[Relation, ...], Field(min_length=1)] = (
        "query-query",
        "key-key",
        "value-value",
    )
    """What is related to what; each counts alike."""
    relation_heads: PositiveInt = 4
    """Into how many parts either width is cut; must divide both."""

    def fit(self, student: Anatomy, teacher: Anatomy) -> None:
        """Refuse layers that are not there, and a width that cannot be cut so."""
        super().fit(student, teacher)
        common = gcd(student.width, teacher.width)
        if common % self.relation_heads:
            whole = [part for part in range(1, common + 1) if common % part == 0]
            best = min(whole, key=lambda part: abs(part - self.relation_heads))
            raise ConfigError(
                f"Objective '{self.label}' cuts widths into {self.relation_heads} relation heads, but the student "
                f"is {student.width} wide and the teacher {teacher.width}.",
                f"The nearest number that divides both is `relation_heads: {best}`; "
                f"others: {', '.join(map(str, whole))}.",
            )

    def compare(
        self,
        student: Float[Tensor, "rows length 3 heads depth"],
        teacher: Float[Tensor, "rows length 3 teacher_heads teacher_depth"],
    ) -> Float[Tensor, "rows maps length"]:
        """The divergence of each relation."""
        own, other = (
            side.flatten(-2).unflatten(-1, (self.relation_heads, -1)) for side in (student, teacher)
        )
        return torch.cat(
            [
                map_divergence(
                    relations(own[:, :, left], own[:, :, right]),
                    relations(other[:, :, left], other[:, :, right]),
                )
                for left, right in map(_SIDES.__getitem__, self.relations)
            ],
            dim=1,
        )
