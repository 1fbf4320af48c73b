"""One verb set for every model, no exceptions.

The verbs' machinery (`recommending`, `storage`, `registry`) works on the class below and is therefore
imported where it is used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import polars as pl
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import RawIds, Vocabulary
from recdistill.settings import Settings
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.step import TorchBatch


class Recommender(ABC):
    """A model that scores the catalogue for a history.

    A subclass says how (`states`, `item_table`; a model that is not a product of the two overrides `score`);
    everything a user calls follows from these.

    Attributes:
        kind: the name in configurations.
        Config: the class of its hyper-parameters.
        config: its hyper-parameters, of that class.
        vocabulary: raw item ids.
        network: everything learned, as parameters and buffers.
        dataset: what the model was made for; `None` once loaded from a file.
    """

    kind: ClassVar[str]
    Config: ClassVar[type[Settings]]
    config: Any
    vocabulary: Vocabulary
    network: nn.Module
    dataset: Dataset | None

    def __init__(self, config: Any, vocabulary: Vocabulary) -> None:
        self.config, self.vocabulary, self.dataset = config, vocabulary, None

    @classmethod
    def for_dataset(cls, dataset: Dataset, *, seed: int = 0, **config: Any) -> Self:
        """An untrained model for the catalogue of `dataset`, its weights drawn from `seed`."""
        from recdistill.models import registry

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = cls(registry.settings(cls, config), dataset.vocabulary)
        model.dataset = dataset
        return model

    @abstractmethod
    def fit(
        self,
        dataset: Dataset,
        training: TrainingConfig | None = None,
        run: RunOptions | None = None,
    ) -> Self:
        """Learn from the training events; the best validated state is kept."""

    @abstractmethod
    def states(self, histories: Sequences) -> Float[Tensor, "rows width"]:
        """What the model knows after each history (no gradients; any length, empty ones too)."""

    @abstractmethod
    def item_table(self) -> Float[Tensor, "items width"]:
        """One vector for each item of the catalogue."""

    @property
    def window(self) -> int | None:
        """How many of the latest items of a history matter; `None` when all do."""
        return None

    def trimmed(self, histories: Sequences) -> Sequences:
        """Histories as labelling and validation ask about them: all that matters, or nearly, at a fraction
        of the cost (see `Sequences.snapped`).
        """
        return histories if self.window is None else histories.snapped(self.window)

    def score(
        self, states: Float[Tensor, "rows width"], items: Int64[Tensor, " k"] | None = None
    ) -> Float[Tensor, "rows k"]:
        """The scores of `items` (all when `None`) for each state."""
        table = self.item_table()
        return states @ (table if items is None else table[items]).T

    @property
    def factorised(self) -> bool:
        """Whether scores are `states @ item_table().T`, so that rankings can be computed blockwise."""
        return type(self).score is Recommender.score

    def recommend(
        self,
        histories: Sequence[RawIds] | None = None,
        users: RawIds | None = None,
        k: int = 10,
        *,
        filter_seen: bool = True,
        candidates: RawIds | None = None,
    ) -> pl.DataFrame:
        """The `k` best items; ties go to the smaller item id.

        Args:
            histories: raw item ids, oldest first; items that the catalogue lacks are passed over, and
                an empty history gets what suits everybody.
            users: raw user ids of the dataset that the model was made for; their training events are
                their histories.
            k: length of the lists; shorter where there is not so much to show.
            filter_seen: leave out what a history holds.
            candidates: raw item ids, the only ones to be shown.

        Returns:
            A frame `user_id, item_id, score, rank`; with `histories`, `user_id` is the row number.

        Raises:
            DataError: a user or a candidate is unknown; the message names the nearest known one.
            ConfigError: neither or both of `histories` and `users`, or no positive `k`.
        """
        from recdistill.models import recommending

        return recommending.recommend(
            self, histories, users, k, filter_seen=filter_seen, candidates=candidates
        )

    def similar_items(self, items: RawIds, k: int = 10) -> pl.DataFrame:
        """The `k` nearest other items: a frame `item_id, similar_item_id, score, rank`."""
        from recdistill.models import recommending

        return recommending.similar_items(self, items, k)

    @torch.no_grad()
    def item_similarity(self, items: Int64[Tensor, " k"]) -> Float[Tensor, "k items"]:
        """How near every item of the catalogue is to each of `items`: the cosine of their vectors."""
        table = torch.nn.functional.normalize(self.item_table(), dim=1)
        return table[items] @ table.T

    def save(self, folder: Path | str) -> None:
        """Write `config.json`, `model.safetensors` and the vocabulary, all or nothing."""
        from recdistill.models import storage

        storage.save(self, Path(folder))

    @classmethod
    def load(cls, folder: Path | str) -> Recommender:
        """Read a model of any kind back.

        Raises:
            CheckpointError: a file is missing or damaged.
        """
        from recdistill.models import storage

        return storage.load(Path(folder))

    def get_config(self) -> dict[str, Any]:
        """The hyper-parameters, with their `kind`, as plain data."""
        return {"kind": self.kind, **self.config.model_dump(mode="json")}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], dataset: Dataset, seed: int = 0) -> Recommender:
        """An untrained model of any kind from plain data.

        Raises:
            ConfigError: the kind or a setting does not exist; the hint names the nearest.
        """
        from recdistill.models import registry

        values = dict(config)
        return registry.model_class(str(values.pop("kind", ""))).for_dataset(
            dataset, seed=seed, **values
        )


class SequenceModel(Recommender):
    """A recommender that states what it knows at every position of a packed batch, and can so be distilled into."""

    @abstractmethod
    def encode(
        self,
        batch: TorchBatch,
        table: Float[Tensor, "items width"] | None = None,
        gates: Float[Tensor, " positions"] | None = None,
    ) -> Float[Tensor, "positions width"]:
        """The state after each position; gradients flow.

        Args:
            batch: packed histories, no longer than the model can see.
            table: what `item_table()` gave, where the caller has it already (it need not be made twice).
            gates: what each event's vector is multiplied with as it enters: 1 leaves it (as `None` does), 0
                takes the event out and leaves its place. The one input that models of any width share.
        """

    @property
    @abstractmethod
    def history(self) -> int:
        """How many of the latest items are seen."""

    @property
    def window(self) -> int | None:
        """The same."""
        return self.history
