"""What learns, on vectors of items, who reads, sees or hears them next."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32
from pydantic import PositiveInt

from recdistill.data.dataset import Dataset
from recdistill.models.item_encoders import (
    OffsetItemsConfig,
    VectorItemsConfig,
    fill,
)
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.settings import Settings
from recdistill.training.options import TrainingConfig


class FeatureHead(Settings):
    """The model over the vectors of the history."""

    inner: PositiveInt | None = 256
    """Width of the hidden layer between vectors and head; `null` for a linear map."""
    offsets: bool = False
    """Whether each item has a free vector beside what its text (or image…) gives: the head then knows items by their
    content where the log is silent, and by their users where it speaks (text-initialised ids: Harte et al. 2023)."""
    head: SASRecConfig = SASRecConfig(dropout=0.2)
    """The model over the vectors of the history; `items` is set from the vectors."""
    training: TrainingConfig = TrainingConfig()

    def untrained(
        self, dataset: Dataset, features: Float32[np.ndarray, "items features"], seed: int
    ) -> SASRec:
        """The model for the catalogue of `dataset`, its items made of `features`."""
        head = self.head.model_copy(update={"items": self._items(features.shape[1])})
        model = SASRec.for_dataset(dataset, seed=seed, **dict(head))
        fill(model.network.items, torch.from_numpy(features))
        return model

    def _items(self, features: int) -> VectorItemsConfig | OffsetItemsConfig:
        if self.offsets:
            return OffsetItemsConfig(features=features)
        return VectorItemsConfig(features=features, inner=self.inner)
