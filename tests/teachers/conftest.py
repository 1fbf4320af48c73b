"""Recommenders whose every answer is known, and tiny language models made on the spot."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings


class FixedConfig(Settings):
    width: int = 6


class Fixed(Recommender):
    """A state is the sum of the history's rows of one random table; items are rows of another."""

    kind: ClassVar[str] = "fixed"
    Config: ClassVar[type[Settings]] = FixedConfig

    def __init__(self, dataset: Dataset, width: int = 6, seed: int = 0, scale: float = 1.0):
        super().__init__(FixedConfig(width=width), dataset.vocabulary)
        make = torch.Generator().manual_seed(seed)
        self.dataset = dataset
        self.network = nn.Module()
        shape = (len(dataset.vocabulary), width)
        for name in ("inward", "outward"):
            values = torch.randn(shape, generator=make) * scale
            self.network.register_buffer(name, values)

    def fit(self, dataset, training=None, run=None) -> Self:
        return self

    def states(self, histories: Sequences) -> Tensor:
        table = self.network.get_buffer("inward")
        states = torch.zeros(len(histories), table.shape[1])
        for row in range(len(histories)):
            states[row] = table[torch.from_numpy(histories[row].astype(np.int64))].sum(0)
        return states

    def item_table(self) -> Tensor:
        return self.network.get_buffer("outward")


class Unfactorised(Fixed):
    """Its scores are no product of vectors."""

    def score(self, states, items=None):
        scores = states @ self.item_table().T
        scores = torch.tanh(scores) * 3 + scores.abs().sqrt()
        return scores if items is None else scores[:, items]


@pytest.fixture
def fixed(tiny_dataset):
    def make(dataset: Dataset = tiny_dataset, factorised: bool = True, **settings) -> Fixed:
        return (Fixed if factorised else Unfactorised)(dataset, **settings)

    return make
