"""`decoder`: the layers of a language model over what a user did, with items in the place of words.

    h = LM( W↑ v_{i₁}, …, W↑ v_{iₙ} )        state = norm(W↓ h),  score = state · v_i

As in E4SRec (Li et al. 2023) and SLMRec (Xu et al. 2025), which found most layers of a large model to be of no use
here: a model of the first few, distilled from one of more, does as well. As a teacher it may keep many layers, as a
student few; both are sequence models like any other, so that every technique applies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import torch
from jaxtyping import Float, Int64
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.language import backbone, hub
from recdistill.language.blocks import blocks
from recdistill.models.dense import Rectangle, rectangles
from recdistill.models.fitting import fit
from recdistill.models.internals import Anatomy, Internals
from recdistill.models.item_encoders import IdItemsConfig, ItemsConfig, item_encoder
from recdistill.models.losses import LossConfig, Softmax
from recdistill.models.prefixes import remember, states
from recdistill.models.recommender import SequenceModel
from recdistill.models.transformer import ByteDropout, Runs
from recdistill.settings import Settings
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.step import TorchBatch


class DecoderConfig(Settings):
    """Hyper-parameters of a recommender made from a language model."""

    kind: Literal["decoder"] = "decoder"
    model: str
    """An id on the Hugging Face hub, or a folder; any decoder of the transformers library."""
    revision: str | None = None
    """A branch, tag or commit on the hub."""
    layers: PositiveInt | tuple[NonNegativeInt, ...] | None = None
    """How many of its first layers are kept, or which, counted from 0; all when not given."""
    width: PositiveInt = 64
    """Of item vectors and states; maps that are learned lie between it and the language model's own width."""
    history: PositiveInt = 50
    """How many of the latest items are seen."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Of what enters the layers and of what leaves them."""
    items: ItemsConfig = IdItemsConfig()
    """Where item vectors come from."""
    loss: LossConfig = Softmax()
    """What `fit` lowers."""
    architecture: dict[str, Any] | None = Field(
        default=None, exclude_if=lambda given: given is None
    )
    """How the layers are made; read from the model when not given, and kept with what is trained, so that this can
    be loaded where the language model is not."""


class DecoderNetwork(nn.Module):
    """The tensors: items, the maps in and out, and the layers between."""

    start: Tensor

    def __init__(
        self, config: DecoderConfig, architecture: Mapping[str, Any], items: nn.Module
    ) -> None:
        super().__init__()
        self.items = items
        self.layers = backbone.backbone(dict(architecture))
        inner = int(self.layers.config.hidden_size)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
        self.inward = nn.Linear(config.width, inner)
        self.outward = nn.Linear(inner, config.width)
        self.drop = ByteDropout(config.dropout)
        self.norm = nn.LayerNorm(config.width)
        self.scale = config.width**0.5
        self.register_buffer("start", torch.zeros(config.width))
        self._cells: Rectangle | None = None

    def forward(
        self,
        table: Float[Tensor, "items width"],
        items: Int64[Tensor, " positions"],
        runs: Runs,
        gates: Float[Tensor, " positions"] | None = None,
    ) -> Float[Tensor, "positions width"]:
        """The state after each position, given the item table; `gates` scale what is seen of each event."""
        values = nn.functional.embedding(items, table) * self.scale
        values = values if gates is None else values * gates[:, None]
        values = self.drop(self.inward(values))
        parts = [self._through(values, cells) for cells in rectangles(runs, values.device)]
        values = self.norm(self.outward(self.drop(torch.cat(parts)))) if parts else values[:, :0]
        if self.training and len(values):
            remember(self.start, values)
        return values

    def _through(self, values: Float[Tensor, "positions inner"], cells: Rectangle) -> Tensor:
        """Padding lies behind what it pads, where causal layers do not look."""
        self._cells = cells
        return cells.emptied(self.layers(inputs_embeds=cells.filled(values)).last_hidden_state)

    @property
    def anatomy(self) -> Anatomy:
        """What the layers are."""
        config: Any = self.layers.config
        return Anatomy(len(blocks(self.layers)[1]), config.hidden_size, config.num_attention_heads)

    def watch(self, seen: Internals) -> Sequence[Callable[[], None]]:
        """Note in `seen` what each layer gives and what its attention meets, packed like everything else."""
        _, layers = blocks(self.layers)
        hidden, met = ([[] for _ in layers] for _ in range(2))

        def gave(level: int, whole: Tensor) -> None:
            hidden[level].append(self._packed(whole))

        def heard(level: int, query: Tensor, key: Tensor, value: Tensor) -> None:
            parts = torch.stack([query, key, value], 1).permute(0, 3, 1, 2, 4)
            met[level].append(self._packed(parts))

        def done(*_: Any) -> None:
            """The rectangles of a pass are over: put them together."""
            for parts, into in ((hidden, seen.hidden), (met, seen.parts)):
                into.extend(torch.cat(part) for part in parts)
                for part in parts:
                    part.clear()

        return (
            self.register_forward_hook(done).remove,
            *backbone.listen(self.layers, gave, heard),
        )

    def _packed(self, cells: Tensor) -> Tensor:
        assert self._cells
        return self._cells.emptied(cells)


class Decoder(SequenceModel):
    """A language model's layers as a sequential recommender."""

    kind: ClassVar[str] = "decoder"
    Config: ClassVar[type[Settings]] = DecoderConfig
    config: DecoderConfig
    network: DecoderNetwork

    def __init__(self, config: DecoderConfig, vocabulary: Vocabulary) -> None:
        """Its layers are untrained; `for_dataset` reads them."""
        super().__init__(config, vocabulary)
        if config.architecture is None:
            made = backbone.architecture(_folder(config), config.layers)
            self.config = config.model_copy(update={"architecture": made})
        assert self.config.architecture is not None
        encoder = item_encoder(config.items, len(vocabulary), config.width)
        self.network = DecoderNetwork(config, self.config.architecture, encoder)  # pyright: ignore[reportIncompatibleVariableOverride]

    @classmethod
    def for_dataset(cls, dataset: Dataset, *, seed: int = 0, **config: Any) -> Self:
        """A model that knows what its language model knows, and nothing of `dataset` yet: items and maps are drawn
        from `seed`.

        Raises:
            ConfigError: there is no such language model, or it has not so many layers.
        """
        made = super().for_dataset(dataset, seed=seed, **config)
        backbone.read_weights(made.network.layers, _folder(made.config), made.config.layers)
        return made

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
        """Learn the next item of every training history; the best validated state is kept."""
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
        """The state after each position; gradients flow. See `SequenceModel.encode`."""
        table = self.item_table() if table is None else table
        return self.network(table, batch.items, batch.runs, gates)

    @torch.no_grad()
    def states(self, histories: Sequences) -> Float[Tensor, "rows width"]:
        """What the model knows after each history (any length, empty ones too)."""
        return states(self, histories, self.network.start)


def _folder(config: DecoderConfig) -> Any:
    return hub.locate(config.model, config.revision, lambda _: None, what="decoder").folder
