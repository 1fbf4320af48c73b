"""Popularity: what everyone takes, the baseline that any recommender must beat."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, Float64
from pydantic import PositiveFloat
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.data.interactions import Interactions
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.training.options import RunOptions, TrainingConfig

_DAY = 86_400.0


class PopularityConfig(Settings):
    """What counts as popular."""

    kind: Literal["popularity"] = "popularity"
    half_life_days: PositiveFloat | None = None
    """An event this much older than the latest counts half; `null` counts all alike."""
    window_days: PositiveFloat | None = None
    """Events older than this do not count; `null` counts all."""


class Popularity(Recommender):
    """Scores `log(1 + weighted count)`, the same for everyone."""

    kind: ClassVar[str] = "popularity"
    Config: ClassVar[type[Settings]] = PopularityConfig
    config: PopularityConfig

    def __init__(self, config: PopularityConfig, vocabulary: Vocabulary) -> None:
        super().__init__(config, vocabulary)
        self.network = nn.Module()
        self.network.register_buffer("scores", torch.zeros(len(vocabulary)))

    def fit(
        self,
        dataset: Dataset,
        training: TrainingConfig | None = None,
        run: RunOptions | None = None,
    ) -> Self:
        """Count; `training` and `run` have nothing to say here."""
        self.dataset = dataset
        weights = _weights(dataset.train, self.config)
        counts = np.bincount(dataset.train.items, weights, dataset.num_items)
        self._scores.copy_(torch.from_numpy(np.log1p(counts)))
        return self

    def states(self, histories: Sequences) -> Float[Tensor, "rows width"]:
        """A one for everybody."""
        return self._scores.new_ones(len(histories), 1)

    def item_table(self) -> Float[Tensor, "items width"]:
        """The scores as vectors of width 1."""
        return self._scores[:, None]

    @property
    def _scores(self) -> Float[Tensor, " items"]:
        return self.network.get_buffer("scores")


def _weights(train: Interactions, config: PopularityConfig) -> Float64[np.ndarray, " events"]:
    """How much each event counts, by its age at the last event of all."""
    ages = (train.times.max(initial=0) - train.times) / _DAY
    weights = np.ones(len(ages))
    if config.half_life_days is not None:
        weights *= 0.5 ** (ages / config.half_life_days)
    if config.window_days is not None:
        weights *= ages <= config.window_days
    return weights
