"""How places of one sequence relate to one another, by what attention has of them.

    A_ij = softmax_j (a_i · b_j / √d)            over those j that i sees

a and b are queries and keys (what attention computes), or any two of queries, keys and values (the relations of
MiniLM, Wang et al. 2020 and 2021). Heads are joined and cut anew, so that models of other widths and head counts can be
compared with nothing to learn between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recdistill.errors import ConfigError

Relation = Literal["query-query", "key-key", "value-value", "query-key"]
_SIDES: dict[Relation, tuple[int, int]] = {
    "query-query": (0, 0),
    "key-key": (1, 1),
    "value-value": (2, 2),
    "query-key": (0, 1),
}
Maps = Float[Tensor, "rows maps length length"]
"""Log-probabilities over the columns that are seen, and 0 beyond."""
Part = Float[Tensor, "rows length heads depth"]


def relation_map(left: Part, right: Part, seen: Bool[Tensor, "#rows #heads length length"]) -> Maps:
    """log A of each head; each place must see one at least."""
    scores = torch.einsum("rihd,rjhd->rhij", left, right) * left.shape[-1] ** -0.5
    return scores.masked_fill(~seen, -torch.inf).log_softmax(-1).masked_fill(~seen, 0.0)


def relation_maps(
    parts: Sequence[Tensor],
    relations: Sequence[Relation],
    heads: int,
    seen: Bool[Tensor, "#rows #heads length length"],
) -> Maps:
    """log A of each relation and relation head.

    Args:
        parts: queries, keys and values, `[rows, length, heads, depth]` each.
        relations: what is related to what.
        heads: into how many parts the width is cut.
        seen: who sees whom.
    """
    cut = [part.flatten(-2).unflatten(-1, (heads, -1)) for part in parts]
    sides = map(_SIDES.__getitem__, relations)
    return torch.cat([relation_map(cut[left], cut[right], seen) for left, right in sides], dim=1)


def map_divergence(student: Maps, teacher: Maps) -> Float[Tensor, "rows maps length"]:
    """KL(teacher ‖ student) of each row."""
    return (teacher.exp() * (teacher - student)).sum(-1)


def require_cut(label: str, heads: int, student: int, teacher: int) -> None:
    """Refuse `heads` that do not divide both widths.

    Args:
        label: how people call who cuts.
        heads: into how many parts.
        student: its width.
        teacher: its width.
    """
    common = gcd(student, teacher)
    if common % heads:
        whole = [part for part in range(1, common + 1) if common % part == 0]
        best = min(whole, key=lambda part: abs(part - heads))
        raise ConfigError(
            f"{label} cuts widths into {heads} relation heads, but the student "
            f"is {student} wide and the teacher {teacher}.",
            f"The nearest number that divides both is `relation_heads: {best}`; "
            f"others: {', '.join(map(str, whole))}.",
        )
