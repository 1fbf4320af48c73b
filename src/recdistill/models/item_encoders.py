"""The item side of a sequence model: whatever gives one vector for each item of the catalogue."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from recdistill.errors import ConfigError
from recdistill.settings import Settings


class ItemEncoder(Protocol):
    """A module that makes the item table; the model learns through it and ties inputs and outputs by it."""

    def __call__(self) -> Float[Tensor, "items width"]:
        """The table, with gradients."""
        ...


class IdItemsConfig(Settings):
    """A free vector for each item."""

    kind: Literal["ids"] = "ids"


class VectorItemsConfig(Settings):
    """Fixed feature vectors (of text, images…), bent into the model's space by a small net."""

    kind: Literal["vectors"] = "vectors"
    features: PositiveInt
    """The width of the feature vectors."""
    inner: PositiveInt | None = 256
    """The width of the adapter's hidden layer; `null` for a linear adapter."""


class OffsetItemsConfig(Settings):
    """A teacher's vectors, bent into the model's space, and a free offset from them for each item."""

    kind: Literal["offset"] = "offset"
    features: PositiveInt
    """The width of the teacher's vectors; a recipe's `init` puts them there."""
    share: float = Field(default=0.2, gt=0)
    """How much the bent vectors count beside the offsets."""


ItemsConfig = Annotated[
    IdItemsConfig | VectorItemsConfig | OffsetItemsConfig, Field(discriminator="kind")
]


class IdItems(nn.Module):
    """A free vector for each item, drawn from a normal of deviation 0.02."""

    def __init__(self, items: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.empty(items, width).normal_(std=0.02))

    def forward(self) -> Float[Tensor, "items width"]:
        """The vectors themselves."""
        return self.vectors


class VectorItems(nn.Module):
    """Frozen feature vectors through a trained adapter."""

    features: Tensor

    def __init__(
        self, features: Float[Tensor, "items features"], width: int, inner: int | None
    ) -> None:
        super().__init__()
        self.register_buffer("features", features)
        last = features.shape[1] if inner is None else inner
        widen = [] if inner is None else [nn.Linear(features.shape[1], inner), nn.GELU()]
        outward = nn.Linear(last, width)
        self.adapter = nn.Sequential(*widen, outward)
        nn.init.normal_(outward.weight, std=0.02)

    def forward(self) -> Float[Tensor, "items width"]:
        """The adapted features."""
        return self.adapter(self.features)


class OffsetItems(nn.Module):
    """What a teacher knows of an item and what the log says beside it: v_i = o_i + λ · W t_i.

    Collaborative embedding distillation (DLLM2Rec: Cui et al. 2024). A student that
    must *agree* with a language model's vectors loses what only the log knows; here the free
    offset o_i takes that, and W, learned with everything else, is fitted by the items with many
    events for the sake of those with few. Where t_i is 0, as it is until somebody puts vectors
    there, this is `IdItems`. Neither W nor t_i leaves the building: a bundle holds the sums.
    """

    features: Tensor

    def __init__(self, items: int, features: int, width: int, share: float) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("features", torch.zeros(items, features))
        self.offset = IdItems(items, width)
        self.project = nn.Linear(features, width, bias=False)

    def forward(self) -> Float[Tensor, "items width"]:
        """The sums."""
        return self.offset() + self.share * self.project(self.features)


def item_encoder(config: ItemsConfig, items: int, width: int) -> nn.Module:
    """The encoder that `config` describes; features start as zeros, to be copied or loaded into."""
    match config:
        case IdItemsConfig():
            return IdItems(items, width)
        case VectorItemsConfig():
            return VectorItems(torch.zeros(items, config.features), width, config.inner)
        case OffsetItemsConfig():
            return OffsetItems(items, config.features, width, config.share)


@torch.no_grad()
def fill(encoder: nn.Module, features: Float[Tensor, "items features"]) -> None:
    """Put `features` where an encoder makes its items from.

    Raises:
        ConfigError: it makes them from nothing, or from vectors of another width.
    """
    if not isinstance(encoder, VectorItems | OffsetItems):
        raise ConfigError(
            "Items of the kind 'ids' are made from no features.",
            "Use `items: {kind: vectors, features: …}`, or `offset`.",
        )
    if encoder.features.shape != features.shape:
        width = features.shape[1]
        raise ConfigError(
            f"The features have width {width}, but the model makes its items from vectors of width"
            f" {encoder.features.shape[1]}.",
            f"Write `features: {width}` in the settings of `items`.",
        )
    encoder.features.copy_(features)
