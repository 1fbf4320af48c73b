"""`value-relation`: how the teacher's queries, keys and values of a history lie to one another.

    L = mean over relations, and relation heads, of KL(R_T,i ‖ R_S,i)      R as in `attending`

Of queries among themselves, keys among themselves and values among themselves (MiniLMv2: Wang et al. 2021,
section 3.1); MiniLM (Wang et al. 2020, section 3.2) has values among themselves beside the attention map, which is
`query-key` here. Heads are joined and cut anew into `relation_heads`, so that models of other head counts and
widths can be compared, with nothing to learn between them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor

from recdistill.distill.objectives.attending import MapObjective, before
from recdistill.models.attention_maps import (
    Relation,
    map_divergence,
    relation_maps,
    require_cut,
)
from recdistill.models.internals import Anatomy


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
        require_cut(f"Objective '{self.label}'", self.relation_heads, student.width, teacher.width)

    def compare(
        self,
        student: Float[Tensor, "rows length 3 heads depth"],
        teacher: Float[Tensor, "rows length 3 teacher_heads teacher_depth"],
    ) -> Float[Tensor, "rows maps length"]:
        """The divergence of each relation."""
        seen = before(student.shape[1], student.device)
        own, other = (
            relation_maps(side.unbind(2), self.relations, self.relation_heads, seen)
            for side in (student, teacher)
        )
        return map_divergence(own, other)
