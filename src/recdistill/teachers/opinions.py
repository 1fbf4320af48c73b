"""Several recommenders as one by a linear pool: probabilities or votes added up, not scores."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from pydantic import Field, PositiveFloat
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.errors import CheckpointError, RecDistillError
from recdistill.files import read_json, write_json
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.teachers.combining import AnyPool, Gate, PerContext, pooled
from recdistill.teachers.combining.certainty import certainty
from recdistill.teachers.combining.gate import facts
from recdistill.teachers.members import (
    apart,
    letters,
    load_members,
    save_members,
    side_by_side,
    state_types,
    widest,
)
from recdistill.training.options import RunOptions, TrainingConfig

_GATE = "gate.safetensors"


class OpinionsConfig(Settings):
    """How the members' opinions are made comparable and added up."""

    kind: Literal["opinions"] = "opinions"
    combine: AnyPool
    temperatures: tuple[PositiveFloat, ...] = Field(min_length=1)
    """By which each member's scores are divided."""


class Opinions(Recommender):
    """Scores are the logarithms of the pooled probabilities (`combining.pooled`).

    A logarithm of a sum is no product of vectors, so there are none: whole rows are scored. A state holds the
    members' states side by side, and what the gate sees of the history.
    """

    kind: ClassVar[str] = "opinions"
    Config: ClassVar[type[Settings]] = OpinionsConfig
    RECORD: ClassVar[str] = "opinions.json"
    config: OpinionsConfig

    def __init__(
        self,
        members: list[Recommender],
        config: OpinionsConfig,
        gate: Gate,
        popularity: Float64[Tensor, " items"],
    ) -> None:
        """`popularity` is how often each item was taken; only a gate that looks at the context needs it."""
        super().__init__(config, members[0].vocabulary)
        self.members, self.gate = members, gate
        self.dataset = members[0].dataset
        self.network = nn.ModuleList(member.network for member in members)
        self.network.append(gate)
        self.network.register_buffer("popularity", popularity)
        self.network.register_buffer("settings", letters(config.model_dump_json()))
        self._dtypes = state_types(members)

    @property
    def window(self) -> int | None:
        """The longest of the members'."""
        return widest(self.members)

    def states(self, histories: Sequences) -> Float64[Tensor, "rows width"]:
        """The members' states and the facts of the history, side by side."""
        parts = [member.states(histories) for member in self.members]
        return side_by_side([*parts, self._facts(histories).to(parts[0].device)])

    def _facts(self, histories: Sequences) -> Float64[Tensor, "rows facts"]:
        combine = self.config.combine
        if not self.gate.looks or not isinstance(combine, PerContext):
            return torch.empty(len(histories), 0, dtype=torch.float64)
        return facts(histories, self._popularity, combine.recent, self.window)

    @property
    def _popularity(self) -> Float64[np.ndarray, " items"]:
        return self.network.get_buffer("popularity").numpy()

    def item_table(self) -> Float[Tensor, "items 0"]:
        """Nothing: no vectors make up its scores."""
        device = self.members[0].item_table().device
        return torch.empty(len(self.vocabulary), 0, device=device)

    @torch.no_grad()
    def item_similarity(self, items: Int64[Tensor, " k"]) -> Float[Tensor, "k items"]:
        """The members' similarities, weighted."""
        parts = [member.item_similarity(items).float() for member in self.members]
        shares = self.gate.base.tolist()
        return torch.stack([part * share for part, share in zip(parts, shares, strict=True)]).sum(0)

    @torch.no_grad()
    def score(
        self, states: Float[Tensor, "rows width"], items: Int64[Tensor, " k"] | None = None
    ) -> Float[Tensor, "rows k"]:
        """The log-probabilities; those of some `items` are normalised over the catalogue too."""
        if not len(states):
            columns = len(self.vocabulary) if items is None else len(items)
            return torch.zeros(0, columns, device=states.device)
        *parts, seen = apart(states, len(self.members) + 1)
        scores = torch.stack(
            [
                member.score(part.to(dtype)).float() / heat
                for member, part, dtype, heat in zip(
                    self.members, parts, self._dtypes, self.config.temperatures, strict=True
                )
            ]
        )
        combined = pooled(self.config.combine.voices(scores), self._log_weights(scores, seen))
        return combined if items is None else combined[:, items]

    def _log_weights(
        self, scores: Float[Tensor, "members rows items"], seen: Float[Tensor, "rows facts"]
    ) -> Float[Tensor, "members rows"]:
        features = seen
        if self.gate.looks:
            features = torch.cat([seen, certainty(scores.log_softmax(2)).T.to(seen)], dim=1)
        return self.gate(features.cpu()).to(scores)

    def fit(
        self,
        dataset: Dataset,
        training: TrainingConfig | None = None,
        run: RunOptions | None = None,
    ) -> Self:
        """It has nothing of its own to learn; the `ensemble` teacher fits members, weights and gate.

        Raises:
            RecDistillError: always.
        """
        raise RecDistillError(
            "A pool of opinions cannot be fitted.",
            "Fit an ensemble teacher: rd.EnsembleTeacher.of(members=..., combine=...).",
        )

    def save(self, folder: Path | str) -> None:
        """Write `opinions.json`, `gate.safetensors` and each member in a folder of its own."""
        folder = Path(folder)
        save_members(self.members, folder)
        save_file(
            {**self.gate.state_dict(), "popularity": torch.from_numpy(self._popularity)},
            folder / _GATE,
        )
        write_json(folder / self.RECORD, self.get_config())

    @classmethod
    def load(cls, folder: Path | str) -> Opinions:
        """Read it back.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        folder = Path(folder)
        try:
            config = OpinionsConfig.model_validate(read_json(folder / cls.RECORD))
            learned = load_file(folder / _GATE)
            popularity = learned.pop("popularity")
            gate = Gate(**learned)
        except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
            raise CheckpointError(
                f"The pool of opinions {folder} cannot be read: {error}.", "Fit the teacher again."
            ) from error
        members = load_members(folder, len(config.temperatures))
        return cls(members, config, gate, popularity)
