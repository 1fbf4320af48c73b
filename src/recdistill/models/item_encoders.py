"""The item side of a sequence model: whatever gives one vector for each item of the catalogue."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn

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


ItemsConfig = Annotated[IdItemsConfig | VectorItemsConfig, Field(discriminator="kind")]


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


def item_encoder(config: ItemsConfig, items: int, width: int) -> nn.Module:
    """The encoder that `config` describes; features start as zeros, to be copied or loaded into."""
    match config:
        case IdItemsConfig():
            return IdItems(items, width)
        case VectorItemsConfig():
            return VectorItems(torch.zeros(items, config.features), width, config.inner)
