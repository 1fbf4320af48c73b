"""A text encoder is fine-tuned on a log: everything put together and handed to the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recdistill.data.batches import TrainingBatches
from recdistill.data.dataset import Dataset
from recdistill.files import content_hash, read_json
from recdistill.models.validation import validation
from recdistill.teachers.adapting.contrastive import ContrastiveLoss
from recdistill.teachers.adapting.library import Library
from recdistill.teachers.adapting.memory import runs_out
from recdistill.teachers.adapting.nearest import Nearest
from recdistill.teachers.adapting.others import OfBatch, OfCatalogue
from recdistill.teachers.adapting.pupil import NOTES, Lessons, Pupil
from recdistill.teachers.adapting.reading import Reader
from recdistill.teachers.adapting.settings import AdaptConfig, NextItem
from recdistill.teachers.adapting.trained import Trained
from recdistill.teachers.encoder import TextEncoder
from recdistill.training.options import RunOptions


@dataclass(frozen=True)
class Lesson:
    """A text encoder that is to learn, and from what.

    Attributes:
        encoder: its model is what is trained, in place.
        name: how the model is called without what it learns here.
        texts: one an item, empty for an item without.
        dataset: the log, and the validation.
        how: what of the model is trained, and how.
    """

    encoder: TextEncoder
    name: str
    texts: list[str]
    dataset: Dataset
    how: AdaptConfig

    def learn(self, folder: Path, run: RunOptions) -> dict[str, Any]:
        """Train, and leave in `folder` what became of the model (`weights/`) and what there is to tell of it.

        Where validation liked it better as it was, no weights are left. What is in the folder already is not made
        again; an interrupted training goes on from `run.folder`.

        Raises:
            ConfigError: the model has no parts of the names given.
            DataError: no training history holds two items with text.
            MissingExtraError: an adapter needs peft, which is not installed.
        """
        if (folder / NOTES).is_file():
            return read_json(folder / NOTES)
        identity = self._identity()
        trained = Trained(self.encoder.model, self.how, run.seed).eval()
        self.encoder.model = trained.model
        reader = self._reader(trained)
        pupil = Pupil(trained, self.encoder.tokenizer, self.name, self.how)
        lessons = Lessons(
            self._batches(run.seed), self._loss(reader), self._measure(reader), identity
        )
        return pupil.taught(lessons, folder, run)

    @cached_property
    def _library(self) -> Library:
        return Library.of(self.texts)

    def _identity(self) -> dict[str, Any]:
        return {
            "encoder": self.encoder.revision,
            "how": self.how.model_dump(mode="json", exclude={"training"}),
            "texts": content_hash(self._library.texts),
        }

    def _reader(self, trained: Trained) -> Reader:
        tokens = self.encoder.tokens(self._library.texts)
        reader = Reader(self.encoder.vectors, tokens, self.how.texts_at_once)
        if runs_out(self.encoder.device):
            reader.fit_memory(trained)
        return reader

    def _batches(self, seed: int) -> TrainingBatches:
        training, history = self.how.training, self.how.next_item.history
        histories = self._library.told(self.dataset.train.histories)
        return TrainingBatches(histories, history, training.batch_size, seed, training.windows)

    def _loss(self, reader: Reader) -> ContrastiveLoss:
        how, texts = self.how.next_item, len(self._library.texts)
        if isinstance(how, NextItem):
            others = OfCatalogue(texts, how.negatives)
        else:
            told = self._library.told(self.dataset.train.histories).values
            counts = np.bincount(told, minlength=texts)
            others = OfBatch(torch.from_numpy(counts).float())
        return ContrastiveLoss(reader, others, how.temperature, how.kind)

    def _measure(self, reader: Reader) -> Callable[[], float] | None:
        """NDCG@10 of what reads most like what was taken last; `None` without validation."""
        if not len(self.dataset.valid):
            return None

        @torch.no_grad()
        def measure() -> float:
            vectors = reader(torch.arange(len(self._library.texts))).cpu().numpy()
            table = torch.from_numpy(self._library.table(vectors))
            nearest = Nearest(self.dataset, table, self.how.next_item.history)
            found = validation(nearest, self.dataset)
            assert found is not None  # there are cases
            return found()

        return measure
