"""`text-encoder`: a language model reads what the items are; a small head learns who reads them
next."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float32
from pydantic import Field, PositiveInt

from recdistill.data.dataset import Dataset
from recdistill.errors import DataError
from recdistill.models.item_encoders import (
    OffsetItems,
    OffsetItemsConfig,
    VectorItems,
    VectorItemsConfig,
)
from recdistill.models.recommender import Recommender
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.progress import Progress, SilentProgress
from recdistill.settings import Settings
from recdistill.teachers import hub
from recdistill.teachers.base import RecommenderBacked
from recdistill.teachers.encoder import Pooling, TextEncoder
from recdistill.teachers.text_vectors import text_vectors
from recdistill.training.options import RunOptions, TrainingConfig


class TextEncoderConfig(Settings):
    """Which language model reads what, and the head that learns on its vectors."""

    kind: Literal["text-encoder"] = "text-encoder"
    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    """An id on the Hugging Face hub, or a folder."""
    revision: str | None = None
    """A branch, tag or commit on the hub."""
    template: str | None = None
    """How an item becomes text; the dataset's own template when not given."""
    pooling: Pooling = "mean"
    """How token vectors become one: their mean, the first (`cls`) or the last."""
    max_tokens: PositiveInt = 128
    """Longer texts are cut."""
    normalise: bool = True
    """Whether text vectors are scaled to length 1."""
    whiten: bool = True
    """Whether the text vectors' directions are decorrelated and given equal variance before the
    head sees them; a language model's vectors share one dominant direction, which says nothing."""
    batch_size: PositiveInt = 64
    """Texts a forward pass."""
    inner: PositiveInt | None = 256
    """Width of the hidden layer between text vectors and head; `null` for a linear map."""
    offsets: bool = False
    """Whether each item has a free vector beside what its text gives: the head then knows items by their text
    where the log is silent, and by their users where it speaks (text-initialised ids: Harte et al. 2023)."""
    permuted: bool = Field(default=False, exclude_if=lambda given: not given)
    """A control: every item gets the text vector of another. What a teacher still knows then, it did not read; a
    gain that survives it was not the text's."""
    head: SASRecConfig = SASRecConfig(dropout=0.2)
    """The model over the vectors of the history; `items` is set from the text vectors."""
    training: TrainingConfig = TrainingConfig()


class TextEncoderTeacher(RecommenderBacked):
    """A frozen text encoder under a trained SASRec."""

    Config: ClassVar[type[Settings]] = TextEncoderConfig
    config: TextEncoderConfig

    @property
    def name(self) -> str:
        """The language model's name, and whether it reads the wrong texts."""
        return f"{self.config.model}{', texts permuted' if self.config.permuted else ''}"

    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        features = torch.from_numpy(self._features(dataset, run))
        head = self.config.head.model_copy(update={"items": self._items(features.shape[1])})
        model = SASRec.for_dataset(dataset, seed=run.seed, **dict(head))
        encoder = model.network.items
        assert isinstance(encoder, VectorItems | OffsetItems)
        encoder.features.copy_(features)
        return model.fit(dataset, self.config.training, run)

    def _items(self, features: int) -> VectorItemsConfig | OffsetItemsConfig:
        if self.config.offsets:
            return OffsetItemsConfig(features=features)
        return VectorItemsConfig(features=features, inner=self.config.inner)

    def _features(self, dataset: Dataset, run: RunOptions) -> Float32[np.ndarray, "items features"]:
        progress = run.progress or SilentProgress()
        config, texts = self.config, dataset.items.texts(self.config.template)
        described = np.array([bool(text) for text in texts])
        if not described.any():
            raise DataError(
                "No item has any text, so a text encoder has nothing to read.",
                "Give a `template` that names columns with text, or leave this teacher out.",
            )
        located = hub.locate(config.model, config.revision, progress.say)
        encoder = TextEncoder(
            located.folder,
            pooling=config.pooling,
            max_tokens=config.max_tokens,
            normalise=config.normalise,
            device=run.device or ("cuda" if torch.cuda.is_available() else "cpu"),
        )
        self.texts = dataset.items.text_hash(config.template)
        self.notes = {
            "encoder": encoder.revision,
            "fallback": located.fallback,
            "items_without_text": int((~described).sum()),
        }
        if not described.all():
            progress.say(f"{int((~described).sum())} items have no text; they count as average.")
        vectors = text_vectors(encoder, texts, batch_size=config.batch_size, progress=progress)
        features = standardised(vectors, described, whiten=config.whiten)
        return self._exchanged(features, progress) if config.permuted else features

    def _exchanged(
        self, features: Float32[np.ndarray, "items features"], progress: Progress
    ) -> Float32[np.ndarray, "items features"]:
        self.notes["permuted"] = True
        progress.say(
            f"Control: each of {len(features)} items is given the text of another"
            " (`permuted: true`). This teacher is for comparison, not for use."
        )
        return permuted(features)


def permuted(
    features: Float32[np.ndarray, "items features"], seed: int = 0
) -> Float32[np.ndarray, "items features"]:
    """The same rows, each with another item than its own: one ring through all items, drawn from `seed`.

    Items without text take part like the others, so that as many rows as before are empty. (What hinges on
    an item's text is destroyed; what hinges on items being told apart is left as it was.)
    """
    ring = np.random.default_rng(seed).permutation(len(features))
    exchanged = np.empty_like(features)
    exchanged[ring] = features[np.roll(ring, 1)]
    return exchanged


def standardised(
    vectors: Float32[np.ndarray, "items width"], described: np.ndarray, *, whiten: bool
) -> Float32[np.ndarray, "items features"]:
    """Vectors of mean 0 and mean square 1 a direction; all-zero rows for items without text.

    Whitening is by principal axes with the variances lifted by a thousandth of the largest, so that
    directions that hold next to nothing are not blown up into noise. Without it only the mean goes
    and one common scale is taken out.
    """
    known = vectors[described].astype(np.float64)
    centred = known - known.mean(0)
    if whiten:
        covariance = centred.T @ centred / len(centred)
        variances, axes = np.linalg.eigh(covariance)
        floor = 1e-3 * max(float(variances[-1]), np.finfo(np.float64).tiny)
        order = np.argsort(-variances, kind="stable")
        centred = centred @ axes[:, order] / np.sqrt(np.maximum(variances[order], 0) + floor)
    else:
        centred = centred / max(float(centred.std()), np.finfo(np.float64).tiny)
    features = np.zeros((len(vectors), centred.shape[1]), dtype=np.float32)
    features[described] = centred
    return features
