"""A recommender in a language model's own space: the items whose texts lie nearest to what it says of a history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Float64
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recdistill.data.columns import ITEM
from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences, window_of
from recdistill.data.tables import write_parquet
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import CheckpointError, RecDistillError
from recdistill.files import read_json, write_json
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.teachers.decoding.states import continued, last_states
from recdistill.teachers.decoding.titles import spoken
from recdistill.teachers.decoding.voice import Voice
from recdistill.teachers.members import letters
from recdistill.training.options import RunOptions, TrainingConfig

_VOICE, _TABLES, _VOCABULARY = "voice", "tables.safetensors", "vocabulary.parquet"
_TINY = 1e-6
_BLOCK = 16_384
"""Items at a time, so that distances to a large catalogue need no matrix of their own."""


class GroundedConfig(Settings):
    """How nearness becomes a score."""

    kind: Literal["grounded"] = "grounded"
    says: Literal["state", "text"] = "state"
    """What is compared with the items: the state in which a history leaves the model, or the `text` that it would go
    on with, read as a title is read (the grounding of BIGRec)."""
    text_tokens: PositiveInt = 24
    """How much is written of such a text."""
    popularity: NonNegativeFloat = 0.0
    """γ: how much nearer popular items count as being; 0 leaves distances as they are."""
    temperature: PositiveFloat = 1.0
    """By which scores are divided."""


class Grounded(Recommender):
    """Scores are −D̂_i / ((1 + P_i)^γ · T), with D_i = ‖u − v_i‖² between vectors of length 1, D̂ the same from 0 for a
    history's nearest item to 1 for its farthest, and P_i an item's popularity from 0 to 1 (Bao et al. 2023, BIGRec,
    section 3.2, with squared distances, so that scores are products of vectors).

    In such a product a state is (2u, min D − ‖u‖², −1) / (max D − min D), and an item (v, 1, ‖v‖²) / (1 + P)^γ.
    """

    kind: ClassVar[str] = "grounded"
    Config: ClassVar[type[Settings]] = GroundedConfig
    RECORD: ClassVar[str] = "grounded.json"
    config: GroundedConfig

    def __init__(
        self,
        vocabulary: Vocabulary,
        voice: Voice,
        config: GroundedConfig,
        vectors: Float32[Tensor, "items width"],
        popularity: Float64[Tensor, " items"],
    ) -> None:
        """`vectors` are of the items' titles; `popularity` is how often each item was taken."""
        super().__init__(config, vocabulary)
        self.voice = voice
        self.network = nn.Module()
        self.network.register_buffer("vectors", vectors)
        self.network.register_buffer("popularity", popularity)
        self.network.register_buffer("voice", letters(voice.identity))
        self.network.register_buffer("settings", letters(config.model_dump_json()))

    @property
    def window(self) -> int | None:
        """Long enough for what the model is told of a history that was `trimmed`."""
        return window_of(self.voice.config.history)

    def again(self, **changed: float) -> Grounded:
        """The same with other settings; what the model says of a history stays what it is."""
        config, network = self.config.model_copy(update=changed), self.network
        vectors, popularity = (network.get_buffer(name) for name in ("vectors", "popularity"))
        made = Grounded(self.vocabulary, self.voice, config, vectors, popularity)
        made.dataset = self.dataset
        return made

    @torch.no_grad()
    def states(self, histories: Sequences) -> Float32[Tensor, "rows width"]:
        """As above; zeros for an empty history, which is near to nothing."""
        vectors = self.network.get_buffer("vectors")
        asked = np.flatnonzero(histories.lengths > 0)
        states = vectors.new_zeros(len(histories), vectors.shape[1] + 2)
        if len(asked):
            said = torch.from_numpy(self.said(histories.take(asked))).to(vectors)
            states[torch.from_numpy(asked)] = towards(said, vectors)
        return states / self.config.temperature

    def said(self, histories: Sequences) -> Float32[np.ndarray, "rows width"]:
        """The vector that the model has of each history."""
        voice, decoder = self.voice, self.voice.source.decoder
        texts = voice.prompts(histories)
        if self.config.says == "text":
            lines = continued(decoder, texts, self.config.text_tokens, voice.appetite)
            return title_vectors(voice, lines)
        return last_states(decoder, texts, voice.appetite)

    def item_table(self) -> Float32[Tensor, "items width"]:
        """As above."""
        vectors = self.network.get_buffer("vectors")
        counts = self.network.get_buffer("popularity")
        ones, squares = torch.ones_like(vectors[:, :1]), vectors.square().sum(1, keepdim=True)
        weights = (1 + scaled(counts)) ** -self.config.popularity
        return torch.cat([vectors, ones, squares], dim=1) * weights.float()[:, None]

    def fit(
        self,
        dataset: Dataset,
        training: TrainingConfig | None = None,
        run: RunOptions | None = None,
    ) -> Self:
        """It has nothing of its own to learn.

        Raises:
            RecDistillError: always.
        """
        raise RecDistillError(
            "A language model's own space cannot be fitted.", "Fit a teacher of kind `causal-lm`."
        )

    def save(self, folder: Path | str) -> None:
        """Write `grounded.json`, the items' vectors, the vocabulary, and the voice."""
        folder = Path(folder)
        (folder / _VOICE).mkdir(parents=True, exist_ok=True)
        self.voice.save(folder / _VOICE)
        tables = {name: self.network.get_buffer(name) for name in ("vectors", "popularity")}
        save_file({name: table.cpu() for name, table in tables.items()}, folder / _TABLES)
        write_parquet(pl.DataFrame({ITEM: self.vocabulary.ids}), folder / _VOCABULARY)
        write_json(folder / self.RECORD, self.get_config())

    @classmethod
    def load(cls, folder: Path | str) -> Grounded:
        """Read it back; the language model is loaded when it is first asked.

        Raises:
            CheckpointError: it is missing or damaged, or the language model's files are others.
        """
        folder = Path(folder)
        try:
            config = GroundedConfig.model_validate(read_json(folder / cls.RECORD))
            tables = load_file(folder / _TABLES)
            vocabulary = Vocabulary(pl.read_parquet(folder / _VOCABULARY)[ITEM])
            vectors, popularity = tables["vectors"], tables["popularity"]
        except (OSError, ValueError, KeyError, SafetensorError, pl.exceptions.PolarsError) as error:
            raise CheckpointError(
                f"The language model's space {folder} cannot be read: {error}.",
                "Fit the teacher again.",
            ) from error
        return cls(vocabulary, Voice.load(folder / _VOICE), config, vectors, popularity)


def title_vectors(voice: Voice, titles: Sequence[str]) -> Float32[np.ndarray, "titles width"]:
    """The last state of each title, read at the start of a line; zeros for an empty one."""
    return last_states(voice.source.decoder, title_tokens(voice, titles), voice.appetite)


def title_tokens(voice: Voice, titles: Sequence[str]) -> list[list[int]]:
    """The tokens of each title as it is read for its vector: as a line begins, with nothing after it."""
    return spoken(voice.source.decoder, titles, "", voice.config.title_tokens)


def towards(
    said: Float32[Tensor, "rows width"], vectors: Float32[Tensor, "items width"]
) -> Float32[Tensor, "rows wider"]:
    """(2u, min D − ‖u‖², −1) / (max D − min D), with D the squared distances to all items."""
    squares = said.square().sum(1, keepdim=True)
    lowest, highest = torch.full_like(squares, torch.inf), torch.full_like(squares, -torch.inf)
    for block in vectors.split(_BLOCK):
        apart = squares + block.square().sum(1) - 2 * said @ block.T
        lowest = torch.minimum(lowest, apart.amin(1, keepdim=True))
        highest = torch.maximum(highest, apart.amax(1, keepdim=True))
    whole = torch.cat([2 * said, lowest - squares, -torch.ones_like(squares)], dim=1)
    return whole / (highest - lowest).clamp_min(_TINY)


def scaled(counts: Float64[Tensor, " items"]) -> Float64[Tensor, " items"]:
    """Popularity from 0, of the least popular item, to 1."""
    return (counts - counts.min()) / (counts.max() - counts.min()).clamp_min(1)
