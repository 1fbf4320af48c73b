"""`dist`: the student's probabilities are to rise and fall with the teacher's over the list.

    L = T² · ( 1 − ρ( p_T, p_S ) ),    p = softmax(z / T),  ρ Pearson's correlation over the k items

(DIST: Huang et al. 2022, the inter-class relation). A correlation is blind to
shift and scale, so a small student need not reach the teacher's confidence. It is also blind to what
the probabilities are normalised by: over the list or over the catalogue is the same ρ.

DIST's second, intra-class relation correlates the probabilities of one item over the positions of a
batch. It is left out here, for two reasons: signals list other items at every position, so nearly all
of that column is unknown; and a loss sees chunks of positions whose size is a matter of memory, so
its value would depend on how much of that there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.scales import standardised
from recdistill.distill.objectives.temperatures import temperature_advice
from recdistill.distill.schedules import Temperature
from recdistill.models.logits import Logits


def correlation_distance(
    one: Float[Tensor, "positions k"], other: Float[Tensor, "positions k"]
) -> Float[Tensor, " positions"]:
    """1 − Pearson's correlation of each pair of rows, in [0, 2]; 1 where a row is constant."""
    return 1 - (standardised(one) * standardised(other)).mean(-1)


class Dist(LogitObjective):
    """Correlation distance of the probabilities of the teacher's best items."""

    kind: Literal["dist"] = "dist"
    on: Literal["top-k"] = "top-k"
    temperature: Temperature = 1.0
    """T: the higher, the more the logits themselves are what is correlated."""

    @property
    def dense(self) -> bool:
        """Never: the normaliser cancels."""
        return False

    def advice(self, signal: Signal) -> Iterator[str]:
        """Temperatures that silence the teacher."""
        yield from temperature_advice(signal["logits"], self.temperature)

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """T² · (1 − ρ) at each position."""
        temperature = knobs["temperature"]
        teacher = _relative(signal["logits"] / temperature)
        student = _relative(logits.at(signal["items"]) / temperature)
        return temperature**2 * correlation_distance(teacher, student)


def _relative(logits: Float[Tensor, "positions k"]) -> Float[Tensor, "positions k"]:
    """Probabilities as multiples of 1 / k, so that their deviation does not drown in rounding."""
    return logits.softmax(-1) * logits.shape[1]
