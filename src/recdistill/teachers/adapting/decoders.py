"""A causal language model is fine-tuned on a log: what it learns is decided by how it will speak."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recdistill.data.batches import TrainingBatches
from recdistill.data.dataset import Dataset
from recdistill.errors import ConfigError
from recdistill.files import read_json
from recdistill.teachers.adapting.judged import Judged
from recdistill.teachers.adapting.memory import runs_out
from recdistill.teachers.adapting.naming import NearTitleLoss, Prompts, TitleLoss
from recdistill.teachers.adapting.pupil import NOTES, Lessons, Pupil
from recdistill.teachers.adapting.reading import Tokens
from recdistill.teachers.adapting.settings import AdaptConfig, Lora, NextTitle
from recdistill.teachers.adapting.trained import Trained
from recdistill.teachers.decoding.decoder import Decoder
from recdistill.training.options import RunOptions


@dataclass(frozen=True)
class DecoderLesson:
    """A decoder that is to learn, and from what.

    Attributes:
        decoder: its model is what is trained, in place.
        name: how the model is called without what it learns here.
        prompts: what it reads about a history.
        titles: the tokens of each item's title, as they are said (`next-title`) or read (`contrastive`); empty for an
            item without.
        history: how many of the latest items a prompt is about.
        dataset: the log, and the validation.
        how: what of the model is trained, and how; its `objective` is given.
        identity: a hash of the model, its prompts and the titles.
    """

    decoder: Decoder
    name: str
    prompts: Prompts
    titles: Sequence[Tokens]
    history: int
    dataset: Dataset
    how: AdaptConfig
    identity: str

    def learn(self, folder: Path, run: RunOptions) -> dict[str, Any]:
        """Train, and leave in `folder` what became of the model (`weights/`) and what there is to tell of it.

        What is in the folder already is not made again; an interrupted training goes on from `run.folder`.

        Raises:
            ConfigError: the model has no parts of the names given, or its weights are too coarse to be trained.
            DataError: no training history holds two items.
            MissingExtraError: an adapter needs peft, which is not installed.
        """
        if (folder / NOTES).is_file():
            return read_json(folder / NOTES)
        require_fine_weights(self.decoder, self.how)
        trained = Trained(self.decoder.model, self.how, run.seed).eval()
        how = self.how.model_dump(mode="json", exclude={"training"})
        identity = {"language model": self.identity, "how": how}
        loss = self._fitting(self._loss(), trained)
        lessons = Lessons(self._batches(run.seed), loss, self._measure(loss.at_once), identity)
        pupil = Pupil(trained, self.decoder.tokenizer, self.name, self.how)
        return pupil.taught(lessons, folder, run)

    @property
    def _says(self) -> bool:
        return isinstance(self.how.objective, NextTitle)

    def _batches(self, seed: int) -> TrainingBatches:
        training = self.how.training
        return TrainingBatches(
            self.dataset.train.histories,
            self.history,
            training.batch_size,
            seed,
            training.windows,
        )

    def _loss(self) -> TitleLoss | NearTitleLoss:
        at_once = self.how.texts_at_once
        if self._says:
            return TitleLoss(self.decoder, self.prompts, self.titles, at_once)
        counts = np.bincount(self.dataset.train.items, minlength=self.dataset.num_items)
        counted = torch.from_numpy(counts).float().clamp_min(1)
        temperature = self.how.contrast.temperature
        return NearTitleLoss(self.decoder, self.prompts, self.titles, counted, temperature, at_once)

    def _fitting(
        self, loss: TitleLoss | NearTitleLoss, trained: Trained
    ) -> TitleLoss | NearTitleLoss:
        """The same, reading no more texts at once than the device's memory holds of the longest."""
        if runs_out(self.decoder.device):
            longest = self.dataset.train.histories.tail(self.history)
            order = np.argsort(-longest.lengths, kind="stable")[: self.how.texts_at_once]
            loss.fit_memory(longest.take(order), trained)
        return loss

    def _measure(self, at_once: int) -> Callable[[], float] | None:
        if not len(self.dataset.valid):
            return None
        judged = Judged(self.decoder, self.prompts, self.titles, self.dataset)
        if not len(judged):
            return None
        return judged.by_titles if self._says else lambda: judged.by_vectors(at_once)


def require_fine_weights(decoder: Decoder, how: AdaptConfig) -> None:
    """Refuse to train weights in which a small step is lost by rounding.

    Raises:
        ConfigError: whole weights of half precision, or rounded to a few bits, are to be trained.
    """
    if isinstance(how, Lora):
        return
    rounded = getattr(decoder.model, "is_quantized", False)
    if rounded or decoder.dtype != torch.float32:
        found = "a few bits" if rounded else str(decoder.dtype).removeprefix("torch.")
        raise ConfigError(
            f"`adapt: {how.kind}` trains the model's own weights, and in {found} its steps would be rounded away.",
            "Set `dtype: float32` (`training.precision` decides what products are computed in), or adapt with `lora`.",
        )


def suited(how: AdaptConfig, *, says_titles: bool) -> AdaptConfig:
    """`how` with the objective for a decoder that names titles, or speaks by vectors.

    Raises:
        ConfigError: the objective that was given is for the other.
    """
    wanted = NextTitle() if says_titles else how.contrast
    if how.objective is not None and type(how.objective) is not type(wanted):
        raise ConfigError(
            f"`adapt` has the objective '{how.objective.kind}', but a language model that"
            f" {'names titles' if says_titles else 'speaks by vectors'} learns by '{wanted.kind}'.",
            "Leave `objective` out, or change how it `speaks`.",
        )
    return how.model_copy(update={"objective": wanted})
