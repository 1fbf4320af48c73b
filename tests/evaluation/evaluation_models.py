"""Recommenders small enough to see through, and cases made of random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn

from recdistill.data.dataset import Cases
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings


class NoSettings(Settings):
    """Nothing to set."""


class FixedModel(Recommender):
    """A state for every distinct last item (row 0 for an empty history) against a fixed table."""

    kind = "fixed"
    Config = NoSettings

    def __init__(self, by_last: torch.Tensor, table: torch.Tensor) -> None:
        super().__init__(NoSettings(), Vocabulary(pl.Series(range(len(table)), dtype=pl.Int64)))
        self.by_last, self.table, self.network = by_last, table, nn.Identity()

    def fit(self, dataset: Any, training: Any = None, run: Any = None) -> FixedModel:
        return self

    def states(self, histories: Sequences) -> torch.Tensor:
        last = [
            int(row[-1]) + 1 if len(row) else 0
            for row in map(histories.__getitem__, range(len(histories)))
        ]
        return self.by_last[torch.tensor(last, dtype=torch.int64)]

    def item_table(self) -> torch.Tensor:
        return self.table


class Unfactorised(FixedModel):
    """The same, but asked for its scores."""

    def score(self, states: torch.Tensor, items: torch.Tensor | None = None) -> torch.Tensor:
        return states @ (self.table if items is None else self.table[items]).T


def random_model(
    items: int, width: int = 8, seed: int = 0, kind: type[FixedModel] = FixedModel
) -> FixedModel:
    random = torch.Generator().manual_seed(seed)
    return kind(
        torch.randn(items + 1, width, generator=random), torch.randn(items, width, generator=random)
    )


def random_cases(
    count: int, items: int, seed: int = 0, targets: int = 1, users: int | None = None
) -> Cases:
    random = np.random.default_rng(seed)
    histories = [random.integers(0, items, random.integers(0, 7)).tolist() for _ in range(count)]
    chosen = [
        random.permutation(items)[: random.integers(1, targets + 1)].tolist() for _ in range(count)
    ]
    who = random.integers(0, users or count, count)
    return Cases(
        np.sort(who).astype(np.int32), Sequences.from_lists(histories), Sequences.from_lists(chosen)
    )
