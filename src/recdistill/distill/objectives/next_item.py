"""`next-item`: what the user really chose next.

    softmax           L = − log softmax(z)[target]                     over the whole catalogue
    sampled-softmax   the same over the target and a few sampled items, corrected for how likely
                      each was to be drawn

The objective that needs no teacher; a recipe of it alone trains the undistilled twin.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.models.logits import Logits
from recdistill.models.losses import (
    LossConfig,
    SampledSoftmax,
    Sampler,
    Softmax,
    sampled_softmax,
    softmax,
)


def smoothed(
    loss: Float[Tensor, " positions"], logits: Logits, smoothing: float
) -> Float[Tensor, " positions"]:
    """Label smoothing (Szegedy et al. 2016, section 7): the target keeps 1 − ε, all items share ε.

    (1 − ε) · loss + ε · (log Σ exp z − mean z), the cross-entropy to a teacher that knows nothing.
    """
    uniform = logits.log_normaliser() - logits.full().mean(-1)
    return (1 - smoothing) * loss + smoothing * uniform


class NextItem(LogitObjective):
    """Cross-entropy against the item that was chosen next."""

    kind: Literal["next-item"] = "next-item"
    loss: LossConfig = Softmax()
    """Over the whole catalogue, or over a sample of it."""
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    """ε of label smoothing; only over the whole catalogue."""

    @model_validator(mode="after")
    def _smooth_over_everything(self) -> NextItem:
        if self.smoothing and not isinstance(self.loss, Softmax):
            raise ValueError(
                "label smoothing is over the whole catalogue; use `loss: {kind: softmax}`"
            )
        return self

    @property
    def dense(self) -> bool:
        """A sample does not need the logits of the whole catalogue."""
        return isinstance(self.loss, Softmax)

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """− log p(target) at each position."""
        if isinstance(self.loss, SampledSoftmax):
            sampler = Sampler(places.popularity, self.loss.alpha)
            return sampled_softmax(logits, places.targets, *sampler.draw(self.loss.negatives))
        loss = softmax(logits, places.targets)
        return smoothed(loss, logits, self.smoothing) if self.smoothing else loss
