"""What vectors of texts recommend by themselves: what reads most like what was taken last."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.training.options import RunOptions, TrainingConfig


class NearestConfig(Settings):
    """How far it looks back."""

    history: PositiveInt = 10


class Nearest(Recommender):
    """A state is the mean of the unit vectors of the latest items; nothing is learned."""

    kind: ClassVar[str] = "nearest"
    Config: ClassVar[type[Settings]] = NearestConfig

    def __init__(self, dataset: Dataset, table: Float[Tensor, "items width"], history: int) -> None:
        super().__init__(NearestConfig(history=history), dataset.vocabulary)
        self.dataset, self.network = dataset, nn.Module()
        self.network.register_buffer("table", nn.functional.normalize(table, dim=-1))

    def fit(
        self,
        dataset: Dataset,
        training: TrainingConfig | None = None,
        run: RunOptions | None = None,
    ) -> Self:
        """Itself: there is nothing to learn."""
        return self

    def states(self, histories: Sequences) -> Float[Tensor, "rows width"]:
        """The means; zeros after an empty history."""
        table, latest = self.item_table(), histories.tail(self.config.history).packed()
        rows = torch.arange(len(latest)).repeat_interleave(torch.from_numpy(latest.lengths))
        sums = torch.zeros(len(latest), table.shape[1])
        sums.index_add_(0, rows, table[torch.from_numpy(latest.values).long()])
        return sums / torch.from_numpy(latest.lengths).clamp_min(1)[:, None]

    def item_table(self) -> Float[Tensor, "items width"]:
        """The unit vectors."""
        return self.network.get_buffer("table")
