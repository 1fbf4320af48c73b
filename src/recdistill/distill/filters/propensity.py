"""`inverse-propensity`: positions count by how unlikely it was that their target was seen at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from jaxtyping import Float
from pydantic import Field, PositiveFloat
from torch import Tensor

from recdistill.distill.filters.contract import POSITIONS, Filter, Heard
from recdistill.distill.places import Knobs, Places
from recdistill.models.logits import Logits


def inverse_propensity(
    popularity: Float[Tensor, " items"], power: float, clip: float
) -> Float[Tensor, " items"]:
    """w_i ∝ min(clip, (p_i / p̄)^−power) for each item, with mean 1 over the events of training.

    The propensity of an item to be seen is taken as a power of its popularity p (Saito et al. 2020,
    "Unbiased recommender learning from missing-not-at-random implicit feedback", section 5.1: power ½);
    clipping bounds the variance.
    """
    seen = popularity.clamp_min(1)
    weights = (seen / seen.mean()).pow(-power).clamp_max(clip)
    return weights * (seen.sum() / (seen * weights).sum())


class InversePropensity(Filter):
    """Weights positions against the popularity of what was chosen there."""

    kind: Literal["inverse-propensity"] = "inverse-propensity"
    power: float = Field(default=0.5, ge=0, le=1)
    """How steeply propensity rises with popularity."""
    clip: PositiveFloat = 10.0
    """The greatest weight, before all are scaled to mean 1."""

    @property
    def hears(self) -> frozenset[str | None]:
        """Everything that is about positions, and true labels too."""
        return POSITIONS | {None}

    @property
    def needs_target(self) -> bool:
        """It asks what was really chosen."""
        return True

    def __call__(self, heard: Heard, logits: Logits, places: Places, knobs: Knobs) -> Heard:
        """The weights of the targets."""
        weights = inverse_propensity(places.popularity, self.power, self.clip)
        return replace(heard, counts=heard.counts * weights[places.targets])
