"""Item vectors from a language model that reads what the items are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float32
from pydantic import Field, PositiveInt, model_validator

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.settings import TextsAboutItems
from recdistill.errors import DataError
from recdistill.files import content_hash
from recdistill.language import hub
from recdistill.language.blocks import Layers
from recdistill.progress import Progress, SilentProgress
from recdistill.teachers.adapting import adapters
from recdistill.teachers.adapting.adapting import Lesson
from recdistill.teachers.adapting.imitating import ImitationLesson
from recdistill.teachers.adapting.pupil import ADAPTATION, WEIGHTS, home
from recdistill.teachers.adapting.settings import Imitation, Lora, NextTitle, ReaderAdaptConfig
from recdistill.teachers.describing import DescribingConfig
from recdistill.teachers.encoder import Pooling, TextEncoder
from recdistill.teachers.features.sayings import with_sayings
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
    describing: DescribingConfig | None = Field(
        default=None, exclude_if=lambda given: given is None
    )
    """A chat model whose descriptions of the items are read behind their own texts; none when not given."""
    pooling: Pooling = "mean"
    """How token vectors become one: their mean, the first (`cls`) or the last."""
    max_tokens: PositiveInt = 128
    """Longer texts are cut."""
    normalise: bool = True
    """Whether text vectors are scaled to length 1."""
    batch_size: PositiveInt = 64
    """Texts a forward pass."""
    said: TextsAboutItems | None = Field(default=None, exclude_if=lambda given: given is None)
    """A file of texts about the items, which the template may name (`{said}`); without a template they follow the
    dataset's own text."""
    layers: Layers | None = Field(default=None, exclude_if=lambda given: given is None)
    """How many of the model's layers read, from the bottom, or which ones; all when not given."""
    adapter: str | None = Field(default=None, exclude_if=lambda given: given is None)
    """An adapter of the model in peft's format: a folder, or an id on the hub."""
    adapter_revision: str | None = Field(default=None, exclude_if=lambda given: given is None)
    """A branch, tag or commit of the adapter on the hub."""
    adapt: ReaderAdaptConfig | None = Field(default=None, exclude_if=lambda given: given is None)
    """How the model is fine-tuned on the log, or learns to do with less of itself, before it reads; not at all when
    not given."""

    @model_validator(mode="after")
    def _one_adapter(self) -> Self:
        if isinstance(self.adapt, Imitation):
            if self.layers is None and self.adapt.width is None:
                raise ValueError(
                    "a model that imitates itself learns nothing: give `layers`, or `adapt` a `width`"
                )
        elif self.adapt is not None and isinstance(self.adapt.objective, NextTitle):
            raise ValueError(
                "a text encoder names no titles: the objective to adapt it for is `contrastive` or `next-item`"
            )
        if self.adapter is None and self.adapter_revision is not None:
            raise ValueError("`adapter_revision` pins an adapter: name it with `adapter`")
        if self.adapt is not None and self.adapter is not None:
            raise ValueError(
                "`adapt` makes an adapter, so it cannot begin with another: drop one of the two"
            )
        return self

    @property
    def title(self) -> str:
        """The language model's name."""
        layers = "" if self.layers is None else f", layers {self.layers}"
        described = f", descriptions by {self.describing.endpoint.model}" if self.describing else ""
        return f"{self.model}{layers}{', adapted' if self.adapt or self.adapter else ''}{described}"

    @property
    def name(self) -> str:
        """The same, and whether it reads the wrong texts."""
        return f"{self.title}{', texts permuted' if self.permuted else ''}"

    @property
    def besides(self) -> list[str]:
        """What an adapter in a folder holds, what a template of descriptions says, and a file of texts."""
        folder = Path(self.adapter).expanduser() if self.adapter else None
        adapter = [adapters.revision(folder)] if folder and adapters.is_adapter(folder) else []
        others = [*(self.describing.besides if self.describing else ())]
        return [*adapter, *others, *(self.said.besides if self.said else ())]

    def read(self, dataset: Dataset, run: RunOptions) -> Reading:
        """The vectors of the items' texts; each text is read once, and its vector kept in the user's cache.

        Raises:
            DataError: no item has any text.
        """
        progress = run.progress or SilentProgress()
        items, joined = with_sayings(self.said, dataset, run)
        texts = items.texts(self.template)
        described = np.array([bool(text) for text in texts])
        if not described.any():
            raise DataError(
                "No item has any text, so a text encoder has nothing to read.",
                "Give a `template` that names columns with text, or leave this teacher out.",
            )
        texts, written = self._with_descriptions(texts, dataset, progress)
        reader, learned = self._taught(texts, dataset, run)
        encoder, fallback = reader.encoder(run)
        silent = int((~described).sum())
        if silent:
            progress.say(f"{silent} items have no text; they count as average.")
        notes = {
            "encoder": encoder.revision,
            "fallback": fallback,
            "items_without_text": silent,
            **joined,
            **written,
            **learned,
        }
        vectors = text_vectors(encoder, texts, batch_size=self.batch_size, progress=progress)
        hashed = items.text_hash(self.template)
        if self.describing:
            hashed = content_hash([hashed, *texts])
        return Reading(vectors, described, notes, hashed, reader)

    def _with_descriptions(
        self, texts: list[str], dataset: Dataset, progress: Progress
    ) -> tuple[list[str], dict[str, Any]]:
        """The texts that are read, and what there is to note of them."""
        if self.describing is None:
            return texts, {}
        found = self.describing.described(texts, self.describing.payer(dataset), progress)
        if found.missing:
            progress.say(f"{found.missing} texts have no description; they are read as they are.")
        return found.texts, {"described": found.written, "not_described": found.missing}

    def encoded(self, texts: Sequence[str], run: RunOptions) -> Float32[np.ndarray, "texts width"]:
        """The vectors of any texts, as they are; zeros of empty ones."""
        encoder, _ = self.encoder(run)
        return text_vectors(encoder, texts, batch_size=self.batch_size, progress=run.progress)

    def encoder(self, run: RunOptions) -> tuple[TextEncoder, str | None]:
        """Who reads, and what it stands in for where the model asked for cannot be had.

        Raises:
            ConfigError: there is no such model, or the adapter is of another.
        """
        say = (run.progress or SilentProgress()).say
        located = hub.locate(self.model, self.revision, say)
        encoder = TextEncoder(
            located.folder,
            pooling=self.pooling,
            max_tokens=self.max_tokens,
            normalise=self.normalise,
            layers=self.layers,
            adapter=self._adapter(say),
            device=run.device or ("cuda" if torch.cuda.is_available() else "cpu"),
        )
        return encoder, located.fallback

    def _adapter(self, say: Callable[[str], None]) -> Path | None:
        if self.adapter is None:
            return None
        return hub.locate(self.adapter, self.adapter_revision, say, what="adapter").folder

    def became(self, folder: Path) -> TextSource:
        """The source as it reads since it was fine-tuned, in `folder`."""
        weights = folder / ADAPTATION / WEIGHTS
        if self.adapt is None or not weights.is_dir():
            return self.model_copy(update={"adapt": None})
        if isinstance(self.adapt, Lora):
            return self.model_copy(update={"adapt": None, "adapter": str(weights)})
        whole = {"model": str(weights), "revision": None, "layers": None}
        return self.model_copy(update={"adapt": None, **whole})

    def keep(self, folder: Path) -> None:
        """Write the fine-tuned model or its adapter into `folder`, if this is what fine-tuning made of a source."""
        weights = Path(self.adapter or self.model)
        if (
            weights.parent.name == ADAPTATION
            and weights.parent.resolve() != (folder / ADAPTATION).resolve()
        ):
            shutil.copytree(weights.parent, folder / ADAPTATION, dirs_exist_ok=True)

    def _taught(
        self, texts: list[str], dataset: Dataset, run: RunOptions
    ) -> tuple[TextSource, dict[str, Any]]:
        """The source, fine-tuned if it is to be, and what there is to note of it."""
        if self.adapt is None:
            return self, {}
        folder, encoder = home(run), self.encoder(run)[0]
        if isinstance(self.adapt, Imitation):
            lesson = ImitationLesson(encoder, self.model, texts, self.adapt, self.batch_size)
        else:
            lesson = Lesson(encoder, self.model, texts, dataset, self.adapt)
        notes = lesson.learn(folder / ADAPTATION, run.part(ADAPTATION))
        return self.became(folder), {"adaptation": notes}
