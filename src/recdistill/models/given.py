"""Vectors of users and items that were made elsewhere, as a recommender."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, UInt64
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from recdistill.data.contexts import history_keys
from recdistill.data.dataset import Dataset
from recdistill.data.encoding import id_keys
from recdistill.data.sequences import Sequences, window_of
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import RecDistillError
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.training.options import RunOptions, TrainingConfig


class GivenConfig(Settings):
    """The shapes of what was given."""

    kind: Literal["given"] = "given"
    width: PositiveInt = 1
    """Of the vectors."""
    contexts: NonNegativeInt = 0
    """How many contexts have a vector."""
    history: PositiveInt = 50
    """By how many of its latest items a context is known."""


class Given(Recommender):
    """Scores are products of given vectors: of the contexts that have one, and of items.

    A user's vector is about what the user had done when it was made; of any other context it says nothing. These get a
    vector by folding in: a linear map from the mean of the latest items' vectors, which is fitted where both are known.
    """

    kind: ClassVar[str] = "given"
    Config: ClassVar[type[Settings]] = GivenConfig
    config: GivenConfig

    def __init__(self, config: GivenConfig, vocabulary: Vocabulary) -> None:
        super().__init__(config, vocabulary)
        width = config.width
        self.network = nn.Module()
        self.network.register_buffer("items", torch.zeros(len(vocabulary), width))
        self.network.register_buffer("keys", torch.zeros(config.contexts, dtype=torch.int64))
        self.network.register_buffer("contexts", torch.zeros(config.contexts, width))
        self.network.register_buffer("fold", torch.zeros(width, width))
        self.network.register_buffer("offset", torch.zeros(width))
        self._item_keys = id_keys(vocabulary.ids)

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        items: Float32[np.ndarray, "items width"],
        histories: Sequences,
        contexts: Float32[np.ndarray, "contexts width"],
        history: int = 50,
    ) -> Self:
        """The recommender of these vectors, without folding in; of contexts with the same latest `history` items, the
        first counts."""
        keys = history_keys(histories.tail(history), dataset.item_keys)
        keys, first = np.unique(keys, return_index=True)
        config = GivenConfig(width=items.shape[1], contexts=len(keys), history=history)
        model = cls(config, dataset.vocabulary)
        model.dataset = dataset
        model._take("items", items)
        model._take("keys", keys.view(np.int64))
        model._take("contexts", contexts[first])
        return model

    def fold_in(
        self, fold: Float32[np.ndarray, "width width"], offset: Float32[np.ndarray, " width"]
    ) -> None:
        """Answer other contexts by the mean of their items' vectors times `fold`, plus `offset`."""
        self._take("fold", fold)
        self._take("offset", offset)

    def cool(self, temperature: float) -> None:
        """Divide all scores by `temperature`."""
        for name in ("contexts", "fold", "offset"):
            self.network.get_buffer(name).div_(temperature)

    def _take(self, name: str, values: np.ndarray) -> None:
        self.network.get_buffer(name).copy_(torch.from_numpy(np.ascontiguousarray(values)))

    @property
    def window(self) -> int:
        """Long enough that trimming leaves the items by which a context is known."""
        return window_of(self.config.history)

    @torch.no_grad()
    def states(self, histories: Sequences) -> Float[Tensor, "rows width"]:
        """The given vectors, or those folded in."""
        latest = histories.tail(self.config.history)
        states = self.means(latest) @ self.network.get_buffer("fold")
        states += self.network.get_buffer("offset")
        rows = torch.from_numpy(self.rows(latest)).to(states.device)
        known = rows >= 0
        states[known] = self.network.get_buffer("contexts")[rows[known]]
        return states

    def rows(self, histories: Sequences) -> Int64[np.ndarray, " rows"]:
        """Which given context each is; -1 for any other."""
        known: UInt64[np.ndarray, " contexts"] = (
            self.network.get_buffer("keys").cpu().numpy().view(np.uint64)
        )
        if not len(known):
            return np.full(len(histories), -1, dtype=np.int64)
        keys = history_keys(histories.tail(self.config.history), self._item_keys)
        places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        return np.where(known[places] == keys, places, -1).astype(np.int64)

    def means(self, histories: Sequences) -> Float[Tensor, "rows width"]:
        """The mean of the vectors of the latest items; zeros of an empty history."""
        latest = histories.tail(self.config.history)
        table = self.item_table()
        places = torch.from_numpy(latest.values[latest.places()].astype(np.int64)).to(table.device)
        lengths = torch.from_numpy(latest.lengths).to(table.device)
        rows = torch.arange(len(latest), device=table.device).repeat_interleave(lengths)
        sums = table.new_zeros(len(latest), table.shape[1]).index_add_(0, rows, table[places])
        return sums / lengths.clamp_min(1)[:, None]

    def item_table(self) -> Float[Tensor, "items width"]:
        """As given."""
        return self.network.get_buffer("items")

    def fit(
        self,
        dataset: Dataset,
        training: TrainingConfig | None = None,
        run: RunOptions | None = None,
    ) -> Self:
        """It has nothing to learn.

        Raises:
            RecDistillError: always.
        """
        raise RecDistillError(
            "Given vectors cannot be fitted.", "Fit a teacher of the kind `file-vectors`."
        )
