"""Where in the student a term reads logits: at the end, as they are served, or at a side door of training.

    served      h                       what the student says in earnest
    auxiliary   h + A h                 a head of its own for the teacher's labels, so that their biases reach the
                                        served head through the shared trunk only (Khani et al. 2024; A begins as 0)
    exit        norm(W h_b)             after block b, so that depth teaches shallowness (Zhang et al. 2019: "be your
                                        own teacher"; W begins as the identity)

The logits are products with the student's item vectors everywhere. What a head learns is dropped after training.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Discriminator, NonNegativeInt
from torch import Tensor, nn

from recdistill.distill.output import Output
from recdistill.errors import ConfigError
from recdistill.models.internals import Anatomy, precise
from recdistill.settings import KindInShort, Settings


class Head(Settings):
    """A place where logits can be read."""

    @property
    def watches(self) -> bool:
        """Whether it must see the student's inside."""
        return False

    def check(self, student: Anatomy, who: str) -> None:
        """Raise `ConfigError` when `student` has no such place."""

    @abstractmethod
    def door(self, width: int, inside: int) -> nn.Module:
        """What the head learns, for a student of `width` whose hidden states are of width `inside`."""

    @abstractmethod
    def read(self, output: Output, door: nn.Module) -> Float[Tensor, "positions width"]:
        """The states that the logits are made of."""


class Served(Head):
    """As the student is served."""

    kind: Literal["served"] = "served"

    def door(self, width: int, inside: int) -> nn.Module:
        """Nothing."""
        return nn.Identity()

    def read(self, output: Output, door: nn.Module) -> Float[Tensor, "positions width"]:
        """The states themselves."""
        return output.states


class Auxiliary(Head):
    """Beside what is served."""

    kind: Literal["auxiliary"] = "auxiliary"

    def door(self, width: int, inside: int) -> nn.Module:
        """A linear map that begins as 0."""
        linear = nn.Linear(width, width)
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
        return linear

    def read(self, output: Output, door: nn.Module) -> Float[Tensor, "positions width"]:
        """The states, and what the map adds."""
        return output.states + door(output.states)


class Exit(Head):
    """After a block, before the student has thought to the end."""

    kind: Literal["exit"] = "exit"
    block: NonNegativeInt = 0
    """Which, counted from 0."""

    @property
    def watches(self) -> bool:
        """It reads hidden states."""
        return True

    def check(self, student: Anatomy, who: str) -> None:
        """Refuse a block that the student lacks, or its last, after which it is at its end anyway."""
        if self.block >= student.blocks - 1:
            raise ConfigError(
                f"{who} reads after block {self.block}, but the student's number of blocks is {student.blocks}: "
                "an exit lies before the last.",
                f"Set `block` to at most {student.blocks - 2}."
                if student.blocks > 1
                else "Give the student more `blocks`, or drop the term.",
            )

    def door(self, width: int, inside: int) -> nn.Module:
        """A linear map, and a norm. It begins as the identity, where the widths are one."""
        linear = nn.Linear(inside, width)
        if inside == width:
            nn.init.eye_(linear.weight)
        nn.init.zeros_(linear.bias)
        return nn.Sequential(linear, nn.LayerNorm(width))

    def read(self, output: Output, door: nn.Module) -> Float[Tensor, "positions width"]:
        """The block's hidden states, mapped."""
        assert output.internals is not None
        return door(precise(output.internals.hidden[self.block]))


AnyHead = Annotated[
    Annotated[Served | Auxiliary | Exit, Discriminator("kind")],
    KindInShort,
]
"""Where a term reads logits: a name, or `{kind: …}` with its settings."""
