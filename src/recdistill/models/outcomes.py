"""What came of an event, beside which item it was: heads that tell it from a state and an item's vector.

    o(h, v) = base + w · (h ∘ v) + a · h + b · v + c

on the trunk that ranks items, which all heads share (shared-bottom multi-task learning: Caruana 1997). `base` is what
training events say on average, and everything else begins as 0, so that a head begins as the best guess of whoever
knows nothing. A `rating` is o itself; the chance of a `like` is σ(o).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
import torch
from jaxtyping import Float, Float32
from pydantic import AfterValidator, Discriminator
from torch import Tensor, nn

from recdistill.data.dataset import Dataset
from recdistill.errors import ConfigError, DataError, nearest
from recdistill.settings import KindInShort, Settings

OutcomeName = Literal["rating", "like"]
"""What can come of an event."""


class OutcomeConfig(Settings):
    """One thing that came of an event."""

    @abstractmethod
    def observed(self, ratings: Float[Tensor, "*rows"]) -> Float[Tensor, "*rows"]:
        """What a head learns from a rating."""

    @abstractmethod
    def told(self, raw: Float[Tensor, "*rows"]) -> Float[Tensor, "*rows"]:
        """What a head's answer means to people."""

    @abstractmethod
    def base(self, ratings: Float32[np.ndarray, " events"]) -> float:
        """The answer of a head that knows nothing but these ratings.

        Raises:
            DataError: they have nothing to teach.
        """


class Rating(OutcomeConfig):
    """The number that a user gave."""

    kind: Literal["rating"] = "rating"

    def observed(self, ratings: Float[Tensor, "*rows"]) -> Float[Tensor, "*rows"]:
        """The rating."""
        return ratings

    def told(self, raw: Float[Tensor, "*rows"]) -> Float[Tensor, "*rows"]:
        """The rating."""
        return raw

    def base(self, ratings: Float32[np.ndarray, " events"]) -> float:
        """Their mean; ratings that are all the same are refused."""
        if ratings.min() == ratings.max():
            raise DataError(
                f"Every rating in training is {ratings[0]:g}: a head for ratings has nothing to learn.",
                "Drop `rating` from the model's `outcomes`, or take a log with other ratings.",
            )
        return float(ratings.mean(dtype=np.float64))


class Like(OutcomeConfig):
    """Whether a user gave enough."""

    kind: Literal["like"] = "like"
    at_least: float = 4.0
    """The rating from which on an item was liked."""

    def observed(self, ratings: Float[Tensor, "*rows"]) -> Float[Tensor, "*rows"]:
        """1 for a like, 0 for none; NaN for NaN."""
        return torch.where(ratings.isnan(), ratings, (ratings >= self.at_least).to(ratings))

    def told(self, raw: Float[Tensor, "*rows"]) -> Float[Tensor, "*rows"]:
        """The probability of a like."""
        return raw.sigmoid()

    def base(self, ratings: Float32[np.ndarray, " events"]) -> float:
        """The logit of their share of likes; all or none is refused."""
        share = float((ratings >= np.float32(self.at_least)).mean())
        if share in (0.0, 1.0):
            raise DataError(
                f"{'Every' if share else 'No'} rating in training is at least {self.at_least:g}: "
                "a head for likes has nothing to learn.",
                f"Training ratings go from {ratings.min():g} to {ratings.max():g}; set `at_least` in between.",
            )
        return float(np.log(share / (1 - share)))


def _differ(outcomes: tuple[OutcomeConfig, ...]) -> tuple[OutcomeConfig, ...]:
    names = names_of(outcomes)
    if len(set(names)) < len(names):
        raise ValueError(f"one head is enough for each outcome, but these are {', '.join(names)}")
    return outcomes


AnyOutcome = Annotated[Annotated[Rating | Like, Discriminator("kind")], KindInShort]
"""One outcome: a name, or `{kind: …}` with its settings."""

Outcomes = Annotated[tuple[AnyOutcome, ...], AfterValidator(_differ)]
"""Several, all different."""


class OutcomeHead(nn.Module):
    """The tensors of one head."""

    base: Tensor

    def __init__(self, settings: OutcomeConfig, width: int) -> None:
        super().__init__()
        self.settings = settings
        self.pair, self.state, self.item = (nn.Parameter(torch.zeros(width)) for _ in range(3))
        self.bias = nn.Parameter(torch.zeros(()))
        self.register_buffer("base", torch.zeros(()))

    def forward(
        self, states: Float[Tensor, "*#rows width"], vectors: Float[Tensor, "*#rows width"]
    ) -> Float[Tensor, "*rows"]:
        """The answers about items of these `vectors`, in a user's `states`; on the head's own scale."""
        joined = ((self.pair * vectors + self.state) * states).sum(-1)
        return self.base + self.bias + joined + vectors @ self.item


class OutcomeHeads(nn.Module):
    """The heads of one model, by name; there may be none."""

    def __init__(self, outcomes: Iterable[OutcomeConfig], width: int) -> None:
        super().__init__()
        made = {str(getattr(one, "kind", "")): OutcomeHead(one, width) for one in outcomes}
        for name, head in made.items():
            self.add_module(name, head)
        self.names = tuple(made)

    def __getitem__(self, name: str) -> OutcomeHead:
        head = self.get_submodule(name)
        assert isinstance(head, OutcomeHead)
        return head

    def require(self, name: str, who: str, whose: str) -> OutcomeHead:
        """The head called `name`.

        Raises:
            ConfigError: there is none; the message says `who` asks `whose` model for it.
        """
        if name in self.names:
            return self[name]
        raise ConfigError(
            f"{who} needs a head for '{name}', which {whose} lacks.",
            f"{nearest(name, self.names) if self.names else ''} "
            f"Give the model `outcomes: [{', '.join((*self.names, name))}]`.".strip(),
        )

    def prepare(self, dataset: Dataset) -> None:
        """Let every head begin as what training events say on average.

        Raises:
            DataError: the log has no ratings, or they have nothing to teach.
        """
        for name, base in bases([self[name].settings for name in self.names], dataset).items():
            self[name].base.fill_(base)


def names_of(outcomes: Iterable[OutcomeConfig]) -> list[str]:
    """What heads for these outcomes are called."""
    return [str(getattr(one, "kind", "")) for one in outcomes]


def bases(outcomes: Iterable[OutcomeConfig], dataset: Dataset) -> dict[str, float]:
    """What training events say of each outcome on average, on the scale of its head.

    Raises:
        DataError: the log has no ratings, or they have nothing to teach.
    """
    wanted, ratings = list(outcomes), dataset.train.ratings
    if wanted and ratings is None:
        raise DataError(
            f"The model has heads for {' and '.join(names_of(wanted))}, but '{dataset.name}' has no ratings.",
            "Name the column under dataset.columns (`rating: …`), or drop `outcomes` from the model.",
        )
    return {name: one.base(ratings) for name, one in zip(names_of(wanted), wanted, strict=True)}  # pyright: ignore[reportArgumentType]


def heads_of(network: nn.Module) -> OutcomeHeads:
    """The heads of a model's network; none where it has no place for them."""
    heads = getattr(network, "outcomes", None)
    return heads if isinstance(heads, OutcomeHeads) else OutcomeHeads((), 1)
