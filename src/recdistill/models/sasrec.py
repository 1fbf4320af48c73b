"""SASRec: self-attention over what a user did (Kang & McAuley 2018), pre-norm, packed, with tied item vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import polars as pl
import torch
from jaxtyping import Float, Int64
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import RawIds, Vocabulary
from recdistill.errors import ConfigError
from recdistill.models.fitting import fit
from recdistill.models.item_encoders import IdItemsConfig, ItemsConfig, item_encoder
from recdistill.models.losses import LossConfig, Softmax
from recdistill.models.outcomes import OutcomeHeads, Outcomes, names_of
from recdistill.models.prefixes import remember, states
from recdistill.models.recommender import SequenceModel
from recdistill.models.transformer import Block, ByteDropout, Runs
from recdistill.settings import Settings
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.step import TorchBatch


class BlockShape(Settings):
    """How wide a block is inside."""

    heads: PositiveInt
    inner: PositiveInt
    """Units of the feed-forward net."""


class Shape(Settings):
    """What a network is made of, where its blocks need not be alike."""

    width: PositiveInt
    """Of item vectors and states; below the width of the blocks, linear maps lie between."""
    blocks: tuple[BlockShape, ...] = Field(min_length=1)


class SASRecConfig(Settings):
    """Hyper-parameters of SASRec."""

    kind: Literal["sasrec"] = "sasrec"
    width: PositiveInt = 64
    blocks: PositiveInt = 2
    heads: PositiveInt = 1
    history: PositiveInt = 50
    """How many of the latest items are seen."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    positions: Literal["learned", "rotary"] = "learned"
    widening: PositiveInt = 4
    """The feed-forward net's inner width, in widths."""
    items: ItemsConfig = IdItemsConfig()
    """Where item vectors come from."""
    loss: LossConfig = Softmax()
    """What `fit` lowers."""
    outcomes: Outcomes = Field(default=(), exclude_if=lambda given: not given)
    """What it tells of an event beside which item it is; each is a head, which terms of the kind `outcome` teach."""
    pruned: Shape | None = Field(default=None, exclude_if=lambda given: given is None)
    """What is left of all this after pruning; heads keep their depth, and blocks what they read and write."""

    @property
    def shape(self) -> Shape:
        """What the network is made of."""
        block = BlockShape(heads=self.heads, inner=self.widening * self.width)
        return self.pruned or Shape(width=self.width, blocks=(block,) * self.blocks)

    @property
    def depth(self) -> int:
        """The width of a head."""
        return self.width // self.heads

    @model_validator(mode="after")
    def _pruning_adds_nothing(self) -> SASRecConfig:
        left = self.pruned
        if left and (left.width > self.width or len(left.blocks) > self.blocks):
            raise ValueError(
                "`pruned` is what is left: it cannot be wider or deeper than the model"
            )
        if left and left.width < self.width and self.outcomes:
            raise ValueError("heads for `outcomes` read whole states: `pruned` must keep the width")
        return self

    @model_validator(mode="after")
    def _heads_divide_width(self) -> SASRecConfig:
        step = self.heads * (2 if self.positions == "rotary" else 1)
        if self.width % step:
            raise ValueError(
                f"width {self.width} must be a multiple of {step} for {self.heads} heads"
            )
        return self


class SASRecNetwork(nn.Module):
    """The tensors of SASRec; knows packed positions, not data sets."""

    start: Tensor

    def __init__(self, config: SASRecConfig, items: nn.Module) -> None:
        super().__init__()
        shape = config.shape
        self.items = items
        self.scale = config.width**0.5
        self.inward = _map(shape.width, config.width)
        self.positions = _POSITIONS[config.positions](config)
        self.drop = ByteDropout(config.dropout)
        self.blocks = nn.ModuleList(
            Block(config.width, block.heads, block.inner, config.dropout, config.depth)
            for block in shape.blocks
        )
        self.norm = nn.LayerNorm(config.width)
        self.outward = _map(config.width, shape.width)
        self.outcomes = OutcomeHeads(config.outcomes, config.width)
        self.register_buffer("start", torch.zeros(shape.width))

    def forward(
        self,
        table: Float[Tensor, "items width"],
        items: Int64[Tensor, " positions"],
        places: Int64[Tensor, " positions"],
        runs: Runs,
        gates: Float[Tensor, " positions"] | None = None,
    ) -> Float[Tensor, "positions width"]:
        """The state after each position, given the item table; `gates` scale what is seen of each event."""
        values = nn.functional.embedding(items, table) * self.scale
        values = values if gates is None else values * gates[:, None]
        values, turn = self.positions(self.inward(values), places)
        values = self.drop(values)
        for block in self.blocks:
            values = block(values, runs, turn)
        values = self.outward(self.norm(values))
        if self.training and len(values):
            remember(self.start, values)
        return values


def _map(width: int, wanted: int) -> nn.Module:
    """From what items are drawn in to what blocks work in, or back; nothing where that is the same."""
    return nn.Identity() if width == wanted else nn.Linear(width, wanted, bias=False)


class LearnedPlaces(nn.Module):
    """A learned vector for each place, counted from the oldest item seen."""

    def __init__(self, config: SASRecConfig) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.empty(config.history, config.width).normal_(std=0.02))

    def forward(
        self, values: Float[Tensor, "positions width"], places: Int64[Tensor, " positions"]
    ) -> tuple[Float[Tensor, "positions width"], None]:
        """Add the vector of each place."""
        return values + nn.functional.embedding(places, self.vectors), None


class RotaryPlaces(nn.Module):
    """Angles by which attention turns queries and keys, so that it sees distances (Su et al. 2021)."""

    angles: Tensor

    def __init__(self, config: SASRecConfig) -> None:
        super().__init__()
        half = config.depth // 2
        speeds = 10_000.0 ** (-torch.arange(half) / half)
        angles = torch.arange(config.history)[:, None] * speeds
        self.register_buffer("angles", angles, persistent=False)

    def forward(
        self, values: Float[Tensor, "positions width"], places: Int64[Tensor, " positions"]
    ) -> tuple[Float[Tensor, "positions width"], Float[Tensor, "positions half"]]:
        """Leave the values; give the angles of each place."""
        return values, self.angles[places]


_POSITIONS = {"learned": LearnedPlaces, "rotary": RotaryPlaces}


class SASRec(SequenceModel):
    """Self-attentive sequential recommendation."""

    kind: ClassVar[str] = "sasrec"
    Config: ClassVar[type[Settings]] = SASRecConfig
    config: SASRecConfig
    network: SASRecNetwork

    def __init__(
        self, config: SASRecConfig, vocabulary: Vocabulary, items: nn.Module | None = None
    ) -> None:
        """`items` takes the place of the encoder that `config.items` describes."""
        super().__init__(config, vocabulary)
        encoder = items or item_encoder(config.items, len(vocabulary), config.shape.width)
        self.network = SASRecNetwork(config, encoder)  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def history(self) -> int:
        """How many of the latest items are seen."""
        return self.config.history

    def fit(
        self,
        dataset: Dataset,
        training: TrainingConfig | None = None,
        run: RunOptions | None = None,
    ) -> Self:
        """Learn the next item of every training history; the best validated state is kept.

        Raises:
            ConfigError: the model has heads for outcomes, of which the next item tells nothing.
        """
        if self.config.outcomes:
            raise ConfigError(
                f"`fit` learns the next item only; it would leave {' and '.join(names_of(self.config.outcomes))} "
                "untaught.",
                "Train with `distill`, by a term `{kind: outcome, head: …}` for each; as a teacher, under `tutors`.",
            )
        fit(self, dataset, self.config.loss, training, run)
        return self

    def item_table(self) -> Float[Tensor, "items width"]:
        """One vector for each item of the catalogue; gradients flow."""
        return self.network.items()

    def encode(
        self,
        batch: TorchBatch,
        table: Float[Tensor, "items width"] | None = None,
        gates: Float[Tensor, " positions"] | None = None,
    ) -> Float[Tensor, "positions width"]:
        """The state after each position; gradients flow.

        Args:
            batch: packed histories of at most `history` items, on the network's device.
            table: what `item_table()` gave, where the caller has it already.
            gates: how much is seen of each event.
        """
        table = self.item_table() if table is None else table
        return self.network(table, batch.items, batch.places, batch.runs, gates)

    def outcomes(self, histories: Sequence[RawIds], items: RawIds) -> pl.DataFrame:
        """What would come of one item for each history.

        Args:
            histories: raw item ids, oldest first; items that the catalogue lacks are passed over.
            items: raw item ids, one for each history.

        Returns:
            A frame `user_id` (the row number), `item_id`, and a column for each head: `rating` on the scale of
            ratings, `like` as a probability.

        Raises:
            ConfigError: the model has no heads, or there are not as many items as histories.
            DataError: an item is unknown; the message names the nearest known one.
        """
        from recdistill.models import foretelling

        return foretelling.frame(self, histories, items)

    @torch.no_grad()
    def states(self, histories: Sequences) -> Float[Tensor, "rows width"]:
        """What the model knows after each history (any length, empty ones too)."""
        return states(self, histories, self.network.start)
