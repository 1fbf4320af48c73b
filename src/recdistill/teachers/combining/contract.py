"""What a combiner is: what each member's calibrated scores say, on a scale on which they add up.

There are two ways to pool opinions (Genest & Zidek 1986, "Combining probability distributions"):

    logarithmic   p(i) ∝ Π_m p_m(i)^w_m       the weighted sum of scores: `mean`
    linear        p(i) ∝ Σ_m w_m v_m(i)       a weighted sum of what members give an item: all others

with v_m(i) probabilities, votes, or probabilities times how sure the member is.
"""

from __future__ import annotations

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from recdistill.settings import Settings


class Combiner(Settings):
    """How the opinions of several members become one."""

    @abstractmethod
    def summands(
        self, scores: Float[Tensor, "members rows items"]
    ) -> Float[Tensor, "members rows items"]:
        """Values whose weighted sum over the members ranks the items of each row.

        Args:
            scores: of each member, divided by its temperature: logits of calibrated probabilities.
        """


class LinearPool(Combiner):
    """Members' values of an item are added up; the sum, normalised, is its probability."""

    @abstractmethod
    def voices(
        self, scores: Float[Tensor, "members rows items"]
    ) -> Float[Tensor, "members rows items"]:
        """The logarithms of what each member gives each item; finite."""

    def summands(
        self, scores: Float[Tensor, "members rows items"]
    ) -> Float[Tensor, "members rows items"]:
        """What members give, beside the most that any gives in the row."""
        voices = self.voices(scores)
        return (voices - voices.amax((0, 2), keepdim=True)).exp()


def pooled(
    voices: Float[Tensor, "members rows items"], log_weights: Float[Tensor, "members rows"]
) -> Float[Tensor, "rows items"]:
    """The logarithms of the pooled probabilities, log Σ_m w_m exp(voice_m) up to the row's normaliser.

    In logarithms, since an item far down has a rank too, where its probability is no number.
    """
    return (voices + log_weights[..., None]).logsumexp(0).log_softmax(1)
