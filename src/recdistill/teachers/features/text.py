"""Item vectors from a language model that reads what the items are."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import PositiveInt

from recdistill.data.dataset import Dataset
from recdistill.errors import DataError
from recdistill.language import hub
from recdistill.progress import SilentProgress
from recdistill.teachers.encoder import Pooling, TextEncoder
from recdistill.teachers.features.source import ItemSource, Reading
from recdistill.teachers.text_vectors import text_vectors
from recdistill.training.options import RunOptions


class TextSource(ItemSource):
    """Which language model reads what."""

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
    batch_size: PositiveInt = 64
    """Texts a forward pass."""

    @property
    def title(self) -> str:
        """The language model's name."""
        return self.model

    @property
    def name(self) -> str:
        """The same, and whether it reads the wrong texts."""
        return f"{self.title}{', texts permuted' if self.permuted else ''}"

    def read(self, dataset: Dataset, run: RunOptions) -> Reading:
        """The vectors of the items' texts; each text is read once, and its vector kept in the user's cache.

        Raises:
            DataError: no item has any text.
        """
        progress, texts = run.progress or SilentProgress(), dataset.items.texts(self.template)
        described = np.array([bool(text) for text in texts])
        if not described.any():
            raise DataError(
                "No item has any text, so a text encoder has nothing to read.",
                "Give a `template` that names columns with text, or leave this teacher out.",
            )
        located = hub.locate(self.model, self.revision, progress.say)
        encoder = TextEncoder(
            located.folder,
            pooling=self.pooling,
            max_tokens=self.max_tokens,
            normalise=self.normalise,
            device=run.device or ("cuda" if torch.cuda.is_available() else "cpu"),
        )
        silent = int((~described).sum())
        if silent:
            progress.say(f"{silent} items have no text; they count as average.")
        notes = {
            "encoder": encoder.revision,
            "fallback": located.fallback,
            "items_without_text": silent,
        }
        vectors = text_vectors(encoder, texts, batch_size=self.batch_size, progress=progress)
        return Reading(vectors, described, notes, dataset.items.text_hash(self.template))
