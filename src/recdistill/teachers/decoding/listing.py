"""A recommender whose best items a language model names: beams over the catalogue's titles."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences, window_of
from recdistill.errors import RecDistillError
from recdistill.files import write_json
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.teachers.accounts import Account
from recdistill.teachers.decoding.beam import Lists, ranked
from recdistill.teachers.decoding.voice import Voice
from recdistill.teachers.members import (
    apart,
    letters,
    load_members,
    read_settings,
    save_members,
    side_by_side,
    state_types,
)
from recdistill.training.options import RunOptions, TrainingConfig

_VOICE = "voice"


class ListingConfig(Settings):
    """How lists become probabilities."""

    kind: Literal["listing"] = "listing"
    beams: PositiveInt = 20
    """Beams that are followed, and items of a list."""
    temperature: PositiveFloat = 1.0
    """By which the log-likelihoods of titles are divided."""
    share: float = Field(default=0.5, gt=0, lt=1)
    """The probability that the next item is on the list."""
    repeats: bool = False
    """Whether an item that was taken may be taken again, and so is named."""


class Named(NamedTuple):
    """Lists in a state.

    Attributes:
        items: the likeliest first; -1 where a list has ended.
        log_p: of their titles; -inf where a list has ended.
    """

    items: Int64[Tensor, "rows beams"]
    log_p: Float32[Tensor, "rows beams"]


class Listing(Recommender):
    """Scores are log-probabilities over the whole catalogue: p(i) = s · softmax(log p(title_i | history) / T) for the
    items that the model names, and (1 − s) of what another recommender has it for all others.

    It speaks when a state is made; a state holds the other's state and the list, side by side. Of an empty history,
    and where the model names nothing but what was taken, the other speaks alone.
    """

    kind: ClassVar[str] = "listing"
    Config: ClassVar[type[Settings]] = ListingConfig
    RECORD: ClassVar[str] = "listing.json"
    config: ListingConfig

    def __init__(self, rest: Recommender, voice: Voice, config: ListingConfig) -> None:
        """`rest` speaks about what is not named."""
        super().__init__(config, rest.vocabulary)
        self.rest, self.voice, self.dataset = rest, voice, rest.dataset
        self.network = nn.ModuleList([rest.network])
        self.network.register_buffer("voice", letters(voice.identity))
        self.network.register_buffer("settings", letters(config.model_dump_json()))
        self._dtype = state_types([rest])[0]

    @property
    def window(self) -> int | None:
        """Long enough for the other, and for what the model is told of a history that was `trimmed`."""
        window = self.rest.window
        return None if window is None else max(window, window_of(self.voice.config.history))

    @torch.no_grad()
    def states(self, histories: Sequences) -> Float64[Tensor, "rows width"]:
        """The other's states, the lists and their log-likelihoods, side by side."""
        states = self.rest.states(histories)
        lists = self.listed(histories)
        items, log_p = (
            torch.from_numpy(part).to(states.device) for part in (lists.items, lists.log_p)
        )
        return side_by_side([states, items.double(), log_p])

    def listed(self, histories: Sequences) -> Lists:
        """What the model names after each history, what was taken left out."""
        count = self.config.beams
        items = np.full((len(histories), count), -1, dtype=np.int64)
        log_p = np.full((len(histories), count), -np.inf, dtype=np.float32)
        asked = np.flatnonzero(histories.lengths > 0)
        if not len(asked):
            return Lists(items, log_p)
        prompts = self.voice.prompts(histories.take(asked))
        room = [len(prompt) + count * self.voice.trie.depth for prompt in prompts]
        for rows, found in self.voice.appetite.fed(
            room, lambda rows: self._named([prompts[row] for row in rows])
        ):
            items[asked[rows]], log_p[asked[rows]] = found.items, found.log_p
        if not self.config.repeats:
            for row in asked.tolist():
                taken = np.isin(items[row], histories[row])
                items[row, taken], log_p[row, taken] = -1, -np.inf
        return Lists(items, log_p)

    def _named(self, prompts: list[list[int]]) -> Lists:
        beams, voice = self.config.beams, self.voice
        branches = voice.branches(prompts)
        return ranked(branches, len(prompts), voice.trie, width=beams, count=beams)

    def account(self) -> Account:
        """Beams follow the catalogue's titles and nothing else."""
        return Account(constrained=True)

    def item_table(self) -> Float[Tensor, "items 0"]:
        """Nothing: no vectors make up its scores."""
        return torch.empty(len(self.vocabulary), 0, device=self.rest.item_table().device)

    def item_similarity(self, items: Int64[Tensor, " k"]) -> Float[Tensor, "k items"]:
        """The other's; lists know histories."""
        return self.rest.item_similarity(items)

    @torch.no_grad()
    def score(
        self, states: Float[Tensor, "rows width"], items: Int64[Tensor, " k"] | None = None
    ) -> Float32[Tensor, "rows k"]:
        """The log-probabilities; those of some `items` are normalised over the catalogue too."""
        if not len(states):
            columns = len(self.vocabulary) if items is None else len(items)
            return torch.zeros(0, columns, device=states.device)
        rest, named, log_p = apart(states, 3)
        others = self.rest.score(rest.to(self._dtype)).float().log_softmax(1)
        scores = spread(others, Named(named.long(), log_p.float()), self.config)
        return scores if items is None else scores[:, items]

    def fit(
        self,
        dataset: Dataset,
        training: TrainingConfig | None = None,
        run: RunOptions | None = None,
    ) -> Self:
        """It has nothing of its own to learn; the `causal-lm` teacher fits who speaks about the rest.

        Raises:
            RecDistillError: always.
        """
        raise RecDistillError("A listing cannot be fitted.", "Fit a teacher of kind `causal-lm`.")

    def save(self, folder: Path | str) -> None:
        """Write `listing.json`, the voice, and who speaks about the rest."""
        folder = Path(folder)
        save_members([self.rest], folder)
        (folder / _VOICE).mkdir(exist_ok=True)
        self.voice.save(folder / _VOICE)
        write_json(folder / self.RECORD, self.get_config())

    @classmethod
    def load(cls, folder: Path | str) -> Listing:
        """Read it back; the language model is loaded when it is first asked.

        Raises:
            CheckpointError: it is missing or damaged, or the language model's files are others.
        """
        folder = Path(folder)
        config = read_settings(ListingConfig, folder / cls.RECORD, "The listing")
        return cls(load_members(folder, 1)[0], Voice.load(folder / _VOICE), config)


def spread(
    others: Float32[Tensor, "rows items"], named: Named, config: ListingConfig
) -> Float32[Tensor, "rows items"]:
    """Log-probabilities: the list's share among what is named, the rest as `others` have it."""
    on = named.items >= 0
    # Fillers are written to a column of their own, which goes again.
    places = named.items.masked_fill(~on, others.shape[1])
    padded = torch.cat([others, torch.full_like(others[:, :1], -torch.inf)], dim=1)
    left = padded.scatter(1, places, -torch.inf)[:, :-1]
    listed = (named.log_p / config.temperature).masked_fill(~on, -torch.inf).log_softmax(1)
    rest = left - left.logsumexp(1, keepdim=True) + float(np.log1p(-config.share))
    both = torch.cat([rest, rest[:, :1]], dim=1).scatter(
        1, places, listed + float(np.log(config.share))
    )
    return torch.where(on.any(1, keepdim=True), both[:, :-1], others)
