"""What the heads of a loss learn, one module for each head that terms read at."""

from __future__ import annotations

from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn

from recdistill.distill.heads import Head
from recdistill.distill.output import Output


class Doors(nn.Module):
    """Terms that read at the same head share what it learns."""

    def __init__(self, heads: Iterable[Head], width: int, inside: int) -> None:
        """For a student whose states are of `width`, those within of width `inside`."""
        super().__init__()
        self._heads = list(dict.fromkeys(heads))
        self._doors = nn.ModuleList(head.door(width, inside) for head in self._heads)

    def read(self, head: Head, output: Output) -> Float[Tensor, "positions width"]:
        """The states that the logits at `head` are made of."""
        return head.read(output, self._doors[self._heads.index(head)])
