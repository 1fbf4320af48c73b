"""A recommender whose best few a judge puts in order."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64, UInt64
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.data.encoding import id_keys
from recdistill.data.sequences import Sequences, window_of
from recdistill.errors import RecDistillError
from recdistill.files import write_json
from recdistill.models.best import best
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.teachers.blending import Blend, redistributed
from recdistill.teachers.judging import Judge, load_judge, save_judge
from recdistill.teachers.members import apart, letters, read_settings, side_by_side, state_types
from recdistill.teachers.sampling import Sampled, keys
from recdistill.teachers.speech import score_blocks
from recdistill.training.options import RunOptions, TrainingConfig

_BASE, _JUDGE = "base", "judge"
_SEEN = 200
"""So many of the latest items are no candidates, unless users take items repeatedly."""


class RerankedConfig(Settings):
    """How a judge and a base are put together."""

    kind: Literal["reranked"] = "reranked"
    number: PositiveInt = 20
    """Candidates that the judge is shown."""
    temperature: PositiveFloat = 1.0
    """By which the base's scores are divided, so that its probabilities may be believed."""
    blend: Blend = Blend()
    repeats: bool = False
    """Whether an item that was taken may be taken again, and so is a candidate."""
    sample: PositiveInt | None = None
    """About no more of the cases that it is compared on its judge is asked (see `about`); all when not given."""


@dataclass(frozen=True)
class Judged:
    """What was said of some histories.

    Attributes:
        candidates: the base's best, best first.
        log_p: the base's log-probabilities of these.
        judged: what the judge said of them; NaN where it said nothing.
    """

    candidates: Int64[Tensor, "rows c"]
    log_p: Float32[Tensor, "rows c"]
    judged: Float32[Tensor, "rows c"]


class Reranked(Recommender):
    """Scores are log-probabilities over the whole catalogue: the base's, those of its best `number` items divided
    anew as the judge has it (`blending.redistributed`).

    Where the judge says nothing, the base does; of an empty history it is not asked. It speaks when a state is made,
    so that a state may be scored any number of times: it holds the base's state, the candidates and what was said
    of them, side by side.
    """

    kind: ClassVar[str] = "reranked"
    Config: ClassVar[type[Settings]] = RerankedConfig
    RECORD: ClassVar[str] = "reranked.json"
    config: RerankedConfig

    def __init__(self, base: Recommender, judge: Judge, config: RerankedConfig) -> None:
        super().__init__(config, base.vocabulary)
        self.base, self.judge = base, judge
        self.dataset = base.dataset
        self.network = nn.ModuleList([base.network])
        self.network.register_buffer("judge", letters(judge.identity()))
        # On how many cases it is compared decides nothing of what it says.
        written = config.model_dump_json(exclude={"sample"})
        self.network.register_buffer("settings", letters(written))
        self._dtype = state_types([base])[0]
        self._sampled = Sampled.all()

    @property
    def window(self) -> int | None:
        """Long enough for the base, and for what the judge sees of a history that was `trimmed`."""
        window = self.base.window
        return None if window is None else max(window, window_of(self.judge.history))

    def about(self, histories: Sequences) -> Reranked:
        """The same model, whose judge is asked about no more than `config.sample` of `histories`."""
        if self.config.sample is None:
            return self
        chosen = copy.copy(self)
        chosen._sampled = self._sampled.narrowed(self._keys(histories), self.config.sample)
        return chosen

    def asked(self, histories: Sequences) -> Bool[np.ndarray, " rows"]:
        """About which of `histories` its judge is asked."""
        known = histories.lengths > 0
        return known if self._sampled.whole else known & self._sampled.of(self._keys(histories))

    def _keys(self, histories: Sequences) -> UInt64[np.ndarray, " rows"]:
        return keys(histories, self.item_keys)

    @cached_property
    def item_keys(self) -> UInt64[np.ndarray, " items"]:
        """A 64-bit hash of each item's raw id."""
        return id_keys(self.vocabulary.ids)

    @torch.no_grad()
    def states(self, histories: Sequences) -> Float64[Tensor, "rows width"]:
        """The base's states, the candidates, and what the judge says of them, side by side."""
        states = self.base.states(histories)
        shape = (len(histories), min(self.config.number, len(self.vocabulary)))
        candidates = torch.zeros(shape, dtype=torch.int64, device=states.device)
        judged = torch.full(shape, torch.nan, device=states.device)
        rows = torch.from_numpy(np.flatnonzero(self.asked(histories))).to(states.device)
        if len(rows) and self.config.blend.judge:
            some = histories.take(rows.cpu().numpy())
            candidates[rows] = self._candidates(states[rows], some)
            judged[rows] = self._judged(some, candidates[rows])
        return side_by_side([states, candidates.double(), judged])

    @torch.no_grad()
    def proposed(self, histories: Sequences) -> Int64[Tensor, "rows c"]:
        """The candidates that the judge is shown for `histories`; nobody is asked."""
        return self._candidates(self.base.states(histories), histories)

    def _candidates(
        self, states: Float[Tensor, "rows width"], histories: Sequences
    ) -> Int64[Tensor, "rows c"]:
        """The base's best items; those that were taken come last, unless users take items repeatedly."""
        taken = histories.tail(0 if self.config.repeats else _SEEN)
        found: list[Int64[Tensor, "block c"]] = []
        for scores in score_blocks(self.base, states):
            done = sum(map(len, found))
            _erase(scores, taken.take(slice(done, done + len(scores))))
            found.append(best(scores, min(self.config.number, scores.shape[1]))[1])
        return torch.cat(found)

    def _judged(
        self, histories: Sequences, candidates: Int64[Tensor, "rows c"]
    ) -> Float32[Tensor, "rows c"]:
        latest = histories.tail(
            self.judge.history
        ).packed()  # nothing of what came later is in reach
        return torch.from_numpy(self.judge.judge(latest, candidates.cpu().numpy())).to(
            candidates.device
        )

    def item_table(self) -> Float[Tensor, "items 0"]:
        """Nothing: no vectors make up its scores."""
        return torch.empty(len(self.vocabulary), 0, device=self.base.item_table().device)

    def item_similarity(self, items: Int64[Tensor, " k"]) -> Float[Tensor, "k items"]:
        """The base's; a judge knows histories."""
        return self.base.item_similarity(items)

    @torch.no_grad()
    def score(
        self, states: Float[Tensor, "rows width"], items: Int64[Tensor, " k"] | None = None
    ) -> Float32[Tensor, "rows k"]:
        """The log-probabilities; those of some `items` are normalised over the catalogue too."""
        if not len(states):
            columns = len(self.vocabulary) if items is None else len(items)
            return torch.zeros(0, columns, device=states.device)
        log_p, candidates, judged = self._parts(states)
        log_p = redistributed(log_p, candidates, judged, self.config.blend)
        return log_p if items is None else log_p[:, items]

    def said(self, states: Float[Tensor, "rows width"]) -> Judged:
        """What the judge said when these `states` were made; at least one row."""
        log_p, candidates, judged = self._parts(states)
        return Judged(candidates, log_p.gather(1, candidates), judged)

    def _parts(
        self, states: Float[Tensor, "rows width"]
    ) -> tuple[Float32[Tensor, "rows items"], Int64[Tensor, "rows c"], Float32[Tensor, "rows c"]]:
        base, candidates, judged = apart(states, 3)
        scores = self.base.score(base.to(self._dtype)).float() / self.config.temperature
        return scores.log_softmax(1), candidates.long(), judged.float()

    def fit(
        self,
        dataset: Dataset,
        training: TrainingConfig | None = None,
        run: RunOptions | None = None,
    ) -> Self:
        """It has nothing of its own to learn; its teacher fits the base, and how much the judge counts.

        Raises:
            RecDistillError: always.
        """
        raise RecDistillError(
            "A recommender with a judge cannot be fitted.", "Fit the teacher that made it."
        )

    def save(self, folder: Path | str) -> None:
        """Write `reranked.json`, and the base and the judge in folders of their own."""
        folder = Path(folder)
        self.base.save(folder / _BASE)
        save_judge(self.judge, folder / _JUDGE)
        write_json(folder / self.RECORD, self.get_config())

    @classmethod
    def load(cls, folder: Path | str) -> Reranked:
        """Read it back.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        folder = Path(folder)
        config = read_settings(RerankedConfig, folder / cls.RECORD, "The recommender with a judge")
        return cls(Recommender.load(folder / _BASE), load_judge(folder / _JUDGE), config)


def _erase(scores: Float32[Tensor, "rows items"], taken: Sequences) -> None:
    rows = np.repeat(np.arange(len(taken)), taken.lengths) * scores.shape[1]
    places = torch.from_numpy(rows + taken.values[taken.places()]).to(scores.device)
    scores.view(-1).index_fill_(0, places, -torch.inf)
