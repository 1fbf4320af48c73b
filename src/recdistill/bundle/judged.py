"""A bundle as a model among models, so that what leaves can be judged as what was trained."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recdistill.bundle.bundle import Bundle
from recdistill.data.sequences import Sequences
from recdistill.errors import ConfigError
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings


class Judged(Recommender):
    """The states and the item table that a bundle answers from: its quantised form, run by ONNX Runtime."""

    kind: ClassVar[str] = "bundle"
    Config: ClassVar[type[Settings]] = Settings

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(Settings(), bundle.vocabulary)
        self._bundle = bundle
        self.network = nn.Module()
        self.network.register_buffer("items", torch.from_numpy(bundle.vectors.copy()))

    def fit(self, *_: Any, **__: Any) -> Self:
        """Refused: what has left learns no more."""
        raise ConfigError(
            "A bundle cannot be trained.", "Train the student that it was made of, and export it."
        )

    def states(self, histories: Sequences) -> Float[Tensor, "rows width"]:
        """What the bundle's model makes of each history."""
        return torch.from_numpy(self._bundle.runtime.states(histories))

    def item_table(self) -> Float[Tensor, "items width"]:
        """The vectors that the stored table means."""
        return self.network.get_buffer("items")

    @property
    def window(self) -> int | None:
        """How many of the latest items the bundle looks at."""
        return self._bundle.info.model.history
