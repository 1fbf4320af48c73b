"""The ways in which a causal language model may speak as a teacher."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from recdistill.settings import KindInShort, Settings
from recdistill.teachers.candidates import RerankingConfig
from recdistill.teachers.decoding.judge import Per
from recdistill.teachers.recommender import AnyModel
from recdistill.training.options import TrainingConfig


class Likelihood(RerankingConfig):
    """It puts the candidates of a trained recommender in order, by how likely it finds their titles."""

    kind: Literal["likelihood"] = "likelihood"
    per: Per = "title"
    """Log-likelihoods of whole titles, or their means over tokens, which are kinder to long titles."""


class Generate(Settings):
    """It names items itself: the likeliest titles of the catalogue, by beam search."""

    kind: Literal["generate"] = "generate"
    beams: PositiveInt = 20
    """Beams that are followed, and items of a list."""
    rest: AnyModel = Field(default={"kind": "popularity"}, validate_default=True)
    """The model that speaks about what is not named, trained on the training split: its `kind` and its settings."""
    training: TrainingConfig = TrainingConfig()
    """How that is trained."""
    sample: PositiveInt = 200
    """Validation cases by which it is found out how far the lists may be believed."""


class Embedding(Settings):
    """Its own space: the items whose titles lie nearest to what it makes of a history."""

    kind: Literal["embedding"] = "embedding"
    says: Literal["state", "text"] = "state"
    """What is compared with the items: the state in which a history leaves the model, or the `text` that it would go
    on with, read as a title is read (the grounding of BIGRec)."""
    text_tokens: PositiveInt = 24
    """How much is written of such a text."""
    popularity: NonNegativeFloat | None = None
    """How much nearer popular items count as being; chosen on validation when not given."""
    sample: PositiveInt = 200
    """Validation cases by which that is chosen, and how loud scores are."""


Speaking = Annotated[Likelihood | Generate | Embedding, Field(discriminator="kind"), KindInShort]
"""Any of them; its `kind` is enough."""
