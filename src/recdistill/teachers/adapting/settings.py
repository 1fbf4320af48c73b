"""How a language model is fine-tuned, or made smaller: what of it, and for what."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator

from recdistill.models.layer_pairs import LayerPairs
from recdistill.settings import KindInShort, Settings
from recdistill.teachers.adapting.terms import TermConfig
from recdistill.teachers.adapting.terms.contract import InnerTerm
from recdistill.teachers.adapting.terms.hidden import Hidden
from recdistill.training.options import AdamW, TrainingConfig, WarmupCosine


class Contrastive(Settings):
    """What a user took next against what others took: the mean of the vectors of the latest items is to lie near the
    vector of the next one (InfoNCE: Oord et al. 2018), and nowhere nearer to the other targets of the batch."""

    kind: Literal["contrastive"] = "contrastive"
    history: PositiveInt = 10
    """How many of the latest items the mean is of; 1 pairs each item with the one that follows it."""
    temperature: PositiveFloat = 0.05
    """By which cosines are divided (Gao et al. 2021)."""


class NextItem(Settings):
    """What a user took next against the whole catalogue, as recommenders learn it: the softmax over all texts, or over
    texts drawn alike, without bias. Unlike in `contrastive`, items that nobody takes are learned about too."""

    kind: Literal["next-item"] = "next-item"
    history: PositiveInt = 10
    """How many of the latest items the mean is of."""
    temperature: PositiveFloat = 0.05
    """By which cosines are divided."""
    negatives: PositiveInt = 256
    """Texts drawn a step, which are read with gradients beside the batch's own. As many as the catalogue has, or more,
    are all of them, each once."""


class NextTitle(Settings):
    """The title of what a user took next, said after a prompt about what they took before: −log p(title | prompt), as
    language models are trained (Bao et al. 2023, TALLRec and BIGRec)."""

    kind: Literal["next-title"] = "next-title"


Objective = Annotated[Contrastive | NextItem | NextTitle, Field(discriminator="kind"), KindInShort]
"""What a language model is fine-tuned for; its `kind` is enough."""


def _training(learning_rate: float) -> TrainingConfig:
    """A short training that warms up, falls along a cosine, and stops where validation does."""
    return TrainingConfig(
        epochs=5,
        batch_size=16,
        optimizer=AdamW(learning_rate=learning_rate, weight_decay=0.01, betas=(0.9, 0.999)),
        rate=WarmupCosine(kind="cosine", warmup_steps=20),
        clip_norm=1.0,
        patience=2,
    )


class Adaptation(Settings):
    """What every way to learn has."""

    texts_at_once: PositiveInt = 256
    """Texts that are read together with gradients. Where a batch has more, each part is read again on the way back, so
    that only one part's activations are held at a time (gradient checkpointing; the gradients are the same); halved
    where the device's memory is short."""
    training: TrainingConfig = _training(1e-4)
    """Batches are of windows of so many events as the objective, or the prompt, looks back on."""

    @field_validator("training", mode="before")
    @classmethod
    def _over_the_usual(cls, given: Any) -> Any:
        """What is left open is as usual here, and not as for a small model that begins from nothing."""
        usual = cls.model_fields["training"].default.model_dump()
        return laid_over(usual, given) if isinstance(given, dict) else given


class FineTuning(Adaptation):
    """What every way to learn from the log has."""

    objective: Objective | None = None
    """`contrastive` for who speaks by vectors, `next-title` for who names titles; either where not given. A text
    encoder may learn `next-item` instead."""

    @property
    def contrast(self) -> Contrastive:
        """The objective of who speaks by vectors."""
        return self.objective if isinstance(self.objective, Contrastive) else Contrastive()

    @property
    def next_item(self) -> Contrastive | NextItem:
        """The objective of a text encoder: against which texts the next one is held."""
        return self.objective if isinstance(self.objective, NextItem) else self.contrast


def laid_over(usual: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """`given`, and what of `usual` it leaves open, also inside."""
    inner = {
        name: laid_over(cast(dict[str, Any], usual[name]), cast(dict[str, Any], value))
        if isinstance(value, dict) and isinstance(usual.get(name), dict)
        else value
        for name, value in given.items()
    }
    return {**usual, **inner}


class Lora(FineTuning):
    """Low-rank matrices beside the model's own, which stay as they are (Hu et al. 2022)."""

    kind: Literal["lora"] = "lora"
    rank: PositiveInt = 8
    alpha: PositiveFloat = 16
    """The product of the two matrices counts alpha/rank times."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Of what enters the low-rank matrices, while they learn."""
    targets: Literal["auto"] | tuple[str, ...] = "auto"
    """Names (or ends of names) of linear maps; `auto` takes every linear map of the layers (Dettmers et al. 2023)."""
    training: TrainingConfig = _training(2e-4)
    """The same; an adapter wants larger steps than a model."""


class Full(FineTuning):
    """The whole model, but for what is frozen."""

    kind: Literal["full"] = "full"
    freeze: tuple[str, ...] = ()
    """Patterns (`*embeddings*`) of names of parameters that stay as they are."""
    training: TrainingConfig = _training(2e-5)
    """The same, in the small steps that whole models bear (Devlin et al. 2019)."""


class TopLayers(FineTuning):
    """The last layers only; those below, and the embeddings, stay as they are (Lee et al. 2019)."""

    kind: Literal["top-layers"] = "top-layers"
    layers: PositiveInt = 2
    """How many."""
    training: TrainingConfig = _training(2e-5)
    """The same, in the small steps that whole layers bear."""


class ImitationTraining(TrainingConfig):
    """Batches are of texts; what is validated is how near the small encoder's vectors come."""

    epochs: PositiveInt = 10
    batch_size: PositiveInt = 32
    """Texts a step."""
    optimizer: AdamW = AdamW(learning_rate=5e-4, weight_decay=0.01, betas=(0.9, 0.999))
    rate: WarmupCosine = WarmupCosine(kind="cosine", warmup_steps=20)
    clip_norm: PositiveFloat | None = 1.0
    patience: PositiveInt | None = 2
    metric: Literal["cosine"] = "cosine"  # pyright: ignore[reportIncompatibleVariableOverride]
    """The mean cosine between its vectors and the whole encoder's, on texts that are held out."""


class Imitation(Adaptation):
    """A smaller encoder (fewer `layers`, or a smaller `width`) learns to read the catalogue's texts as the whole one
    does: its vectors (Reimers & Gurevych 2020) and, where `hidden` says so, its hidden states (Jiao et al. 2020,
    TinyBERT)."""

    kind: Literal["imitation"] = "imitation"
    width: PositiveInt | None = None
    """Of the small encoder's hidden states and vectors; the whole one's when not given. Embeddings then begin as their
    principal directions, and layers at random; a head of attention is as wide as before."""
    hidden: NonNegativeFloat = 0.0
    """What hidden states count beside vectors; above 0 the whole encoder reads along in every step."""
    pairs: LayerPairs = "spread"
    """Which layers' hidden states are compared: `last`, `spread`, or a list of `[small one's, whole one's]`."""
    terms: tuple[TermConfig, ...] = Field(default=(), exclude_if=lambda given: not given)
    """What else of the whole encoder's inside counts, a kind at most once: `value-relation` (attention),
    `input-gradient`. The whole encoder reads along in every step."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """While it learns: what the whole encoder says of a text is no matter of chance, and drawing parts of the small one
    away only blurs it."""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """The share of texts that are not learned from and tell how well it goes; with 0 nobody tells."""
    freeze: tuple[str, ...] = ()
    """Patterns (`*embeddings*`) of names of parameters that stay as they are."""
    training: ImitationTraining = ImitationTraining()  # pyright: ignore[reportIncompatibleVariableOverride]
    """A short training of all that is left, warmed up and falling along a cosine."""

    @field_validator("terms")
    @classmethod
    def _each_once(cls, given: tuple[InnerTerm, ...]) -> tuple[InnerTerm, ...]:
        kinds = [term.name for term in given]
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise ValueError(
                    f"the term '{kind}' is there twice: give it once, with the weight of both"
                )
        return given

    @property
    def inside(self) -> tuple[InnerTerm, ...]:
        """All that counts beside vectors."""
        hidden = [Hidden(weight=self.hidden, layers=self.pairs)] if self.hidden else []
        return (*hidden, *self.terms)


AdaptConfig = Annotated[Lora | Full | TopLayers, Field(discriminator="kind"), KindInShort]
"""How a language model is fine-tuned; its `kind` is enough."""
ReaderAdaptConfig = Annotated[
    Lora | Full | TopLayers | Imitation, Field(discriminator="kind"), KindInShort
]
"""How a text encoder is fine-tuned, or made smaller; its `kind` is enough."""
