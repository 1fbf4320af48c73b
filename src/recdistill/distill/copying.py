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
from recdistill.errors import ConfigError
from recdistill.language.blocks import blocks
from recdistill.models.decoder import Decoder
from recdistill.models.item_encoders import IdItems
from recdistill.models.layer_pairs import paired
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

    def check(self, student: SequenceModel, teacher: Recommender | None) -> SequenceModel:
        """The model that is copied.

        Raises:
            ConfigError: there is none, or nothing of it would fit into `student`.
        """
        model = self.of.speaker(student, teacher).model
        if not isinstance(getattr(student.network, "items", None), IdItems):
            raise ConfigError(
                "`init: {what: layers}` writes into a student's own item vectors, and this one has none.",
                "Use `student: {items: {kind: ids}}`, or drop `init`.",
            )
        for what in ("kind", *_ALIKE.get(student.kind, ("width",))):
            own, other = (getattr(one.config, what, None) for one in (student, model))
            if own != other:
                raise _unlike(what, own, other)
        own, other = layers(student), layers(model)
        shapes = [
            {name: value.shape for name, value in one[0].state_dict().items()}
            for one in (own, other)
        ]
        if shapes[0] != shapes[1]:
            raise _unlike("language model", student.config.model, model.config.model)
        self._check_blocks(len(own), len(other))
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
        own, other = layers(student), layers(model)
        chosen = self.chosen(len(own), len(other))
        for layer, number in zip(own, chosen, strict=True):
            layer.load_state_dict(other[number].state_dict())
        _take_the_rest(student.network, model.network)
        student.network.get_parameter("items.vectors").copy_(model.item_table())
        return chosen


def layers(model: SequenceModel) -> nn.ModuleList:
    """The blocks that a model computes one after another.

    Raises:
        ConfigError: it has none that are known of.
    """
    if isinstance(model, SASRec):
        return model.network.blocks
    if isinstance(model, Decoder):
        return blocks(model.network.layers)[1]
    raise ConfigError(
        f"`init: {{what: layers}}` copies blocks, and a model of the kind '{model.kind}' has none.",
        f"Kinds that have: {', '.join(sorted(_ALIKE))}.",
    )


_ALIKE = {"sasrec": ("width", "heads", "widening", "positions", "pruned"), "decoder": ("width",)}
"""What two models of a kind must share, so that one's blocks mean the same in the other."""


def _unlike(what: str, own: object, other: object) -> ConfigError:
    return ConfigError(
        f"`init: {{what: layers}}` copies blocks as they are, but the student's {what} is {own}, "
        f"the teacher's {other}.",
        f"Give the student `{what.replace('language ', '')}: {other}`, or begin from `what: item-vectors`, which any "
        "can.",
    )


def _take_the_rest(own: nn.Module, other: nn.Module) -> None:
    """Take over every tensor that belongs to no block, item or head; of a longer one (the places of a longer
    history) the beginning."""
    theirs = other.state_dict()
    apart = (
        "items.",
        "outcomes.",
        *(f"{name}." for name, part in own.named_modules() if _stack(part)),
    )
    for name, value in own.state_dict().items():
        if not name.startswith(apart):
            value.copy_(theirs[name][: len(value)])


def _stack(part: nn.Module) -> bool:
    return isinstance(part, nn.ModuleList)


def _vectors_unless_said(given: Any) -> Any:
    return {"what": "item-vectors", **given} if isinstance(given, Mapping) else given


Init = Annotated[
    Annotated[TeacherInit | LayersInit, Discriminator("what")],
    BeforeValidator(_vectors_unless_said),
]
"""What a student begins from: `{what: item-vectors}`, said or not, or `{what: layers}`."""
