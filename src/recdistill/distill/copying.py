"""A student that begins as a shallower copy of its teacher: its item vectors, its places, some of its blocks.

DistilBERT (Sanh et al. 2019) began as every second layer of BERT: to begin at random cost it more than to drop any
of its losses (their table 4). Blocks work in the space that items are drawn in, so all is taken over as it is, and both
models must be of one width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, NonNegativeInt
from torch import nn

from recdistill.distill.companions import Member, Teacher
from recdistill.distill.initialise import TeacherInit
from recdistill.distill.objectives.layers import paired
from recdistill.errors import ConfigError
from recdistill.models.item_encoders import IdItems
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.models.sasrec import SASRec
from recdistill.settings import KindInShort, Settings


class LayersInit(Settings):
    """Start as the teacher is, with fewer blocks: `{from: teacher, what: layers}`."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    from_: Literal["teacher"] = Field(
        default="teacher", validation_alias="from", serialization_alias="from"
    )
    what: Literal["layers"] = "layers"
    of: Annotated[Annotated[Teacher | Member, Discriminator("kind")], KindInShort] = Teacher()
    """Whose: the teacher's, or those of a `member` of an ensemble."""
    blocks: tuple[NonNegativeInt, ...] | None = None
    """The teacher's block that each of the student's begins as; spread over its depth when not given."""

    @property
    def source(self) -> None:
        """The kind of signal it takes: none, it takes from the model itself."""

    def check(self, student: SequenceModel, teacher: Recommender | None) -> SASRec:
        """The model that is copied.

        Raises:
            ConfigError: there is none, or nothing of it would fit into `student`.
        """
        model = self.of.speaker(student, teacher).model
        assert isinstance(model, SASRec)
        if not isinstance(student, SASRec) or not isinstance(student.network.items, IdItems):
            raise ConfigError(
                "`init: {what: layers}` writes into a student's own item vectors, and this one has none.",
                "Use `student: {kind: sasrec, items: {kind: ids}}`, or drop `init`.",
            )
        for what in ("width", "heads", "widening", "positions"):
            own, other = getattr(student.config, what), getattr(model.config, what)
            if own != other:
                raise ConfigError(
                    f"`init: {{what: layers}}` copies blocks as they are, but the student's {what} is {own}, "
                    f"the teacher's {other}.",
                    f"Give the student `{what}: {other}`, or begin from `what: item-vectors`, which any width can.",
                )
        self._check_blocks(student.config.blocks, model.config.blocks)
        return model

    def _check_blocks(self, own: int, others: int) -> None:
        chosen = self.chosen(own, others)
        if len(chosen) != own or max(chosen) >= others:
            raise ConfigError(
                f"`init` names the teacher's blocks {list(chosen)}, but the student has {own} blocks "
                f"and the teacher {others}.",
                f"Name {own} of 0 … {others - 1}, one for each of the student's, or leave `blocks` out.",
            )

    def chosen(self, own: int, others: int) -> tuple[int, ...]:
        """The teacher's block for each of the student's.

        >>> LayersInit().chosen(2, 6)
        (2, 5)
        """
        spread = (other for _, other in paired("spread", own, others))
        return tuple(spread) if self.blocks is None else self.blocks

    @torch.no_grad()
    def hand_over(self, student: SequenceModel, teacher: Recommender | None) -> tuple[int, ...]:
        """Write the teacher's items, places, blocks and last norm into `student`; which blocks were taken.

        Raises:
            ConfigError: see `check`.
        """
        model = self.check(student, teacher)
        assert isinstance(student, SASRec)
        own, other = student.network, model.network
        assert isinstance(own.items, IdItems)
        own.items.vectors.copy_(model.item_table())
        _take(own.positions, other.positions)
        chosen = self.chosen(len(own.blocks), len(other.blocks))
        for block, number in zip(own.blocks, chosen, strict=True):
            _take(block, other.blocks[number])
        _take(own.norm, other.norm)
        own.start.copy_(other.start)
        return chosen


def _vectors_unless_said(given: Any) -> Any:
    return {"what": "item-vectors", **given} if isinstance(given, Mapping) else given


Init = Annotated[
    Annotated[TeacherInit | LayersInit, Discriminator("what")],
    BeforeValidator(_vectors_unless_said),
]
"""What a student begins from: `{what: item-vectors}`, said or not, or `{what: layers}`."""


def _take(own: nn.Module, other: nn.Module) -> None:
    """Take over every tensor; of a longer one (the places of a longer history) the beginning."""
    theirs = other.state_dict()
    for name, value in own.state_dict().items():
        value.copy_(theirs[name][: len(value)])
