"""Several recommenders as one: the weighted sum of their scores."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float, Int64
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.errors import RecDistillError
from recdistill.files import write_json
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.teachers.members import (
    apart,
    load_members,
    read_settings,
    save_members,
    side_by_side,
    state_types,
    widest,
)
from recdistill.training.options import RunOptions, TrainingConfig


class MixtureConfig(Settings):
    """How much each member counts."""

    kind: Literal["mixture"] = "mixture"
    scales: tuple[PositiveFloat, ...] = Field(min_length=1)
    """The factor of each member's scores."""


class Mixture(Recommender):
    """Scores `Σ_m scale_m · z_m`.

    A sum of products is a product: with factorised members, the concatenated states and the
    concatenated item tables, each times √scale, are the vectors of the mixture, and everything that
    works with vectors works with it. With another member in the mix, scores are mixed instead.
    """

    kind: ClassVar[str] = "mixture"
    Config: ClassVar[type[Settings]] = MixtureConfig
    RECORD: ClassVar[str] = "mixture.json"

    def __init__(self, members: list[Recommender], scales: list[float]) -> None:
        super().__init__(MixtureConfig(scales=tuple(scales)), members[0].vocabulary)
        self.members = members
        self.scales = scales
        self.dataset = members[0].dataset
        self.network = nn.ModuleList(member.network for member in members)
        self.network.register_buffer("scales", torch.tensor(scales, dtype=torch.float64))
        self._dtypes = state_types(members)

    @property
    def factorised(self) -> bool:
        """Whether all members are."""
        return all(member.factorised for member in self.members)

    @property
    def window(self) -> int | None:
        """The longest of the members'."""
        return widest(self.members)

    def states(self, histories: Sequences) -> Float[Tensor, "rows width"]:
        """The members' states side by side; where not all are factorised, with their widths."""
        parts = [member.states(histories) for member in self.members]
        if self.factorised:
            return torch.cat(self._scaled(parts), dim=1)
        return side_by_side(parts)

    def item_table(self) -> Float[Tensor, "items width"]:
        """The item tables of the factorised members side by side."""
        tables = [member.item_table() for member in self.members if member.factorised]
        if self.factorised:
            tables = self._scaled(tables)
        scales = self.network.get_buffer("scales")
        return torch.cat([scales.new_empty(len(self.vocabulary), 0).float(), *tables], dim=1)

    def _scaled(self, parts: list[Tensor]) -> list[Tensor]:
        return [part * scale**0.5 for part, scale in zip(parts, self.scales, strict=True)]

    def score(
        self, states: Float[Tensor, "rows width"], items: Int64[Tensor, " k"] | None = None
    ) -> Float[Tensor, "rows k"]:
        """The weighted sums."""
        if self.factorised:
            return super().score(states, items)
        columns = len(self.vocabulary) if items is None else len(items)
        total = torch.zeros(len(states), columns, device=states.device)
        if not len(states):
            return total
        parts = apart(states, len(self.members))
        for member, part, dtype, scale in zip(
            self.members, parts, self._dtypes, self.scales, strict=True
        ):
            total += scale * member.score(part.to(dtype), items)
        return total

    def fit(
        self,
        dataset: Dataset,
        training: TrainingConfig | None = None,
        run: RunOptions | None = None,
    ) -> Self:
        """A mixture has nothing of its own to learn; the `ensemble` teacher fits members and
        weights.

        Raises:
            RecDistillError: always.
        """
        raise RecDistillError(
            "A mixture cannot be fitted.",
            "Fit an ensemble teacher: rd.EnsembleTeacher.of(members=...).",
        )

    def save(self, folder: Path | str) -> None:
        """Write `mixture.json` and each member in a folder of its own."""
        folder = Path(folder)
        save_members(self.members, folder)
        write_json(folder / self.RECORD, self.get_config())

    @classmethod
    def load(cls, folder: Path | str) -> Mixture:
        """Read a mixture back.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        folder = Path(folder)
        config = read_settings(MixtureConfig, folder / cls.RECORD, "The mixture")
        return cls(load_members(folder, len(config.scales)), list(config.scales))
