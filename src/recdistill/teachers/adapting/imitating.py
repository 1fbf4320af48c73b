"""A text encoder made smaller learns to read as the whole of it does: put together and handed to the loop."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from recdistill.data.batches import TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.errors import ConfigError, DataError, DivergenceError
from recdistill.files import content_hash, read_json
from recdistill.teachers.adapting import sentence_files
from recdistill.teachers.adapting.library import Library
from recdistill.teachers.adapting.likeness import (
    Likeness,
    Model,
    mean_cosine,
    require_alike,
)
from recdistill.teachers.adapting.narrowing import directions, narrow
from recdistill.teachers.adapting.pupil import NOTES, Lessons, Pupil
from recdistill.teachers.adapting.settings import Imitation
from recdistill.teachers.adapting.trained import Trained
from recdistill.teachers.encoder import TextEncoder, text_key
from recdistill.teachers.text_vectors import text_vectors
from recdistill.training.options import RunOptions


@dataclass(frozen=True)
class ImitationLesson:
    """A text encoder with fewer layers, or one that is to be narrower, and what it learns to read.

    Attributes:
        small: its model is what is trained, in place; made narrower first where `how` says so.
        name: how the model is called.
        texts: one an item, empty for an item without.
        how: what is imitated, and how.
        batch_size: texts a pass of the whole encoder, when it reads them for their vectors.
    """

    small: TextEncoder
    name: str
    texts: list[str]
    how: Imitation
    batch_size: int = 64

    def learn(self, folder: Path, run: RunOptions) -> dict[str, Any]:
        """Train, and leave in `folder` what became of the encoder (`weights/`) and what there is to tell of it.

        No weights are left where texts held out say that fewer layers were as good before. What is in the folder
        already is not made again; an interrupted training goes on from `run.folder`.

        Raises:
            ConfigError: the encoder is not smaller than the whole, cannot be made so, or cannot be compared with it.
            DataError: there are too few texts to learn from.
            DivergenceError: what was drawn anew is no better for having learned.
        """
        known = (folder / NOTES).is_file()
        notes = read_json(folder / NOTES) if known else self._learned(folder, run)
        if self.how.width is not None and not notes["kept"]:
            raise DivergenceError(
                f"{self.name}, made {self.how.width} wide, learned nothing of what it was to imitate.",
                "Lower training.optimizer.learning_rate, or bring more items with text.",
            )
        return notes

    def _learned(self, folder: Path, run: RunOptions) -> dict[str, Any]:
        whole, texts = self.small.whole(), Library.of(self.texts).texts
        identity = {
            "whole": whole.revision,
            "small": self.small.revision,
            "how": self.how.model_dump(mode="json", exclude={"training"}),
            "texts": content_hash(texts),
        }
        learned, held = split(texts, self.how.held_out)
        tokens = whole.tokens(texts)
        self._make_small(whole, [tokens[text] for text in learned.tolist()], run.seed)
        require_alike(self.small, whole, self.how, tokens[0])
        models = self._models(whole, texts, tokens, run)
        trained = Trained(self.small.model, self.how, run.seed).eval()
        vectors = torch.stack([models[text].vector for text in learned.tolist()])
        axes = directions(vectors, self.small.width)
        loss = Likeness(self.small, whole, models, axes, self.how)
        if self.small.device.type == "cuda":
            loss.reader.fit_memory(trained)
        measure = partial(mean_cosine, self.small, models, held, axes, self.how.texts_at_once)
        lessons = Lessons(
            self._batches(learned, run.seed), loss, measure if len(held) else None, identity,
            "the mean cosine to the whole encoder on texts held out",
        )  # fmt: skip
        beside = partial(sentence_files.write, self.small)
        pupil = Pupil(trained, self.small.tokenizer, self.name, self.how, beside)
        return pupil.taught(lessons, folder, run)

    def _models(
        self, whole: TextEncoder, texts: list[str], tokens: list[list[int]], run: RunOptions
    ) -> list[Model]:
        vectors = torch.from_numpy(
            text_vectors(whole, texts, batch_size=self.batch_size, progress=run.progress)
        )
        return [Model(*pair) for pair in zip(tokens, vectors, strict=True)]

    def _make_small(self, whole: TextEncoder, tokens: list[list[int]], seed: int) -> None:
        if self.how.width is not None:
            narrow(self.small, tokens, self.how.width, seed)
        for part in self.small.model.modules():
            if isinstance(part, nn.Dropout):
                part.p = self.how.dropout
        sizes = [
            sum(part.numel() for part in one.model.parameters()) for one in (self.small, whole)
        ]
        if sizes[0] >= sizes[1]:
            raise ConfigError(
                f"{self.name} would imitate itself: as many weights are left as there are, {sizes[1]:,}.",
                "Keep fewer `layers`, or give `adapt` a smaller `width`.",
            )

    def _batches(self, learned: Int64[Tensor, " texts"], seed: int) -> TrainingBatches:
        """Batches of texts: histories of one event after which nothing is to come."""
        ends = np.arange(len(learned) + 1, dtype=np.int64)
        each = Sequences.from_offsets(learned.numpy().astype(np.int32), ends)
        return TrainingBatches(each, 1, self.how.training.batch_size, seed, unlabelled=True)


def split(
    texts: list[str], held_out: float
) -> tuple[Int64[Tensor, " learned"], Int64[Tensor, " held"]]:
    """The numbers of the texts that are learned from, and of those that are held out: as their hashes fall, so that
    neither order nor seed decides.

    Raises:
        DataError: nothing is left to learn from.
    """
    order = torch.tensor(sorted(range(len(texts)), key=lambda text: text_key(texts[text])))
    held = max(round(held_out * len(texts)), int(held_out > 0))
    if held >= len(texts):
        raise DataError(
            f"{len(texts)} different texts are too few to learn from.",
            "Bring more items with text, or leave out `adapt`.",
        )
    return order[held:].sort().values, order[:held].sort().values
