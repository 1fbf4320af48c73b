"""Item-based nearest neighbours: what people who took this also took."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.models.best import best
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.training.options import RunOptions, TrainingConfig

_WHISPER = 1e-6  # of popularity
_CELLS = 1 << 22  # of counts and of pairs that are held at once


class ItemKNNConfig(Settings):
    """Hyper-parameters of item-based nearest neighbours (Sarwar et al. 2001)."""

    kind: Literal["item-knn"] = "item-knn"
    neighbours: PositiveInt = 100
    """How many neighbours each item keeps."""
    shrinkage: NonNegativeFloat = 10.0
    """Added to the denominator of the cosine, so that similarity needs more than one witness."""
    history: PositiveInt = 200
    """How many of the latest items have a say, in fitting and in recommending."""


class ItemKNN(Recommender):
    """Scores `Σ_{j in history} similarity(j, item)` over each item's nearest neighbours.

    Where these say nothing (a new user, a rare item), popularity decides, too quietly to be heard
    otherwise. The similarity is `users of both / (√(users of i · users of j) + shrinkage)`. A state is the
    history itself: dense ids, -1 where it is shorter.
    """

    kind: ClassVar[str] = "item-knn"
    Config: ClassVar[type[Settings]] = ItemKNNConfig
    config: ItemKNNConfig

    def __init__(self, config: ItemKNNConfig, vocabulary: Vocabulary) -> None:
        super().__init__(config, vocabulary)
        size = (len(vocabulary), min(config.neighbours, len(vocabulary)))
        self.network = nn.Module()
        self.network.register_buffer("neighbours", torch.zeros(size, dtype=torch.int64))
        self.network.register_buffer("similarities", torch.zeros(size))
        self.network.register_buffer("prior", torch.zeros(len(vocabulary)))

    def fit(
        self,
        dataset: Dataset,
        training: TrainingConfig | None = None,
        run: RunOptions | None = None,
    ) -> Self:
        """Count who took what together; `training` and `run` have nothing to say here."""
        self.dataset = dataset
        taken = _distinct(dataset.train.histories.tail(self.config.history))
        users = np.bincount(taken.values, minlength=dataset.num_items).astype(np.float64)
        share = users / max(users.sum(), 1.0)
        self.network.get_buffer("prior").copy_(torch.from_numpy(share * _WHISPER))
        for start, together in _together(taken, dataset.num_items):
            stop = start + len(together)
            own = np.arange(len(together))
            together[own, start + own] = 0.0
            scale = np.sqrt(np.outer(users[start:stop], users)) + self.config.shrinkage
            cosine = np.divide(together, scale, out=np.zeros_like(together), where=scale > 0)
            self._keep(start, torch.from_numpy(cosine.astype(np.float32)))
        return self

    def _keep(self, start: int, similarities: Float[Tensor, "rows items"]) -> None:
        values, items = best(similarities, self._similarities.shape[1])
        self._similarities[start : start + len(values)] = values
        self._neighbours[start : start + len(values)] = items

    def states(self, histories: Sequences) -> Float[Tensor, "rows width"]:
        """The latest items of each history, -1 where there are fewer."""
        latest = histories.tail(self.config.history)
        states = np.full((len(latest), int(latest.lengths.max(initial=1))), -1.0)
        rows = np.repeat(np.arange(len(latest)), latest.lengths)
        columns = np.arange(len(rows)) - np.repeat(
            np.cumsum(latest.lengths) - latest.lengths, latest.lengths
        )
        states[rows, columns] = latest.values[latest.places()]
        return torch.from_numpy(states).to(self._similarities.device)

    def item_table(self) -> Float[Tensor, "items width"]:
        """The similarities as a sparse matrix, one row for each item."""
        items, kept = self._neighbours.shape
        rows = torch.arange(items, device=self._neighbours.device).repeat_interleave(kept)
        places = torch.stack((rows, self._neighbours.flatten()))
        return torch.sparse_coo_tensor(
            places, self._similarities.flatten(), (items, items), check_invariants=False
        )

    def score(
        self, states: Float[Tensor, "rows width"], items: Int64[Tensor, " k"] | None = None
    ) -> Float[Tensor, "rows k"]:
        """The sums of similarities to what each history holds."""
        scores = self.network.get_buffer("prior").repeat(len(states), 1)
        for column in states.long().unbind(1):
            rows = (column >= 0).nonzero()[:, 0]
            taken = column[rows]
            votes = self._similarities[taken]
            places = rows[:, None] * scores.shape[1] + self._neighbours[taken]
            scores.view(-1).scatter_add_(0, places.flatten(), votes.flatten())
        return scores if items is None else scores[:, items]

    def item_similarity(self, items: Int64[Tensor, " k"]) -> Float[Tensor, "k items"]:
        """The similarities by which it recommends; next to 0 beyond the neighbours."""
        return self.score(items[:, None].double())

    @property
    def _similarities(self) -> Float[Tensor, "items neighbours"]:
        return self.network.get_buffer("similarities")

    @property
    def _neighbours(self) -> Int64[Tensor, "items neighbours"]:
        return self.network.get_buffer("neighbours")


def _distinct(histories: Sequences) -> Sequences:
    """Each row's items once, ascending."""
    rows = np.repeat(np.arange(len(histories), dtype=np.int64), histories.lengths)
    keys = np.unique((rows << 32) | histories.values[histories.places()])
    counts = np.bincount(keys >> 32, minlength=len(histories))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Sequences.from_offsets((keys & 0xFFFFFFFF).astype(np.int32), offsets)


def _together(
    taken: Sequences, items: int
) -> Iterator[tuple[int, Float64[np.ndarray, "block items"]]]:
    """How many users took both, for a block of items at a time against all."""
    owners = np.repeat(np.arange(len(taken), dtype=np.int64), taken.lengths)
    by_item = np.argsort(taken.values, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(np.bincount(taken.values, minlength=items))])
    block = max(1, _CELLS // max(items, 1))
    for start in range(0, items, block):
        stop = min(start + block, items)
        events = by_item[bounds[start] : bounds[stop]]
        counts = np.zeros((stop - start) * items)
        for part in _pieces(taken.lengths[owners[events]]):
            users = taken.take(owners[events[part]])
            own = np.repeat(taken.values[events[part]].astype(np.int64) - start, users.lengths)
            pairs = own * items + taken.values[users.places()]
            counts += np.bincount(pairs, minlength=len(counts))
        yield start, counts.reshape(stop - start, items)


def _pieces(sizes: Int64[np.ndarray, " events"]) -> Iterator[slice]:
    """Consecutive events whose sizes sum to about `_CELLS`."""
    piece = np.cumsum(sizes) // _CELLS
    edges = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), len(sizes)]
    for start, stop in pairwise(edges):
        if start < stop:
            yield slice(start, stop)
