"""`collaborative`: soft answers at items drawn by rank, most of them near the top.

    L = T² / (M + N) · Σ_{i ∈ D} BCE( σ(z̃_T,i / T), σ(z̃_S,i / T) )

with D made of M different items of the list, each drawn in proportion to exp(−r / λ), and N items drawn
evenly outside it (CD: Lee et al. 2019). r is the teacher's rank (teacher-guided),
or the student's among the listed (student-guided: what the student thinks good is corrected most).

z̃ is z minus its mean over the list, as in `soft-bce`. The teacher's probability of a single item
outside the list is not stored; each is taken for the mean of the rest, ρ / (n − k), n being the size
of the catalogue, which needs T to be the temperature at which the signal was stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.draws import drawn, outside
from recdistill.distill.objectives.ranks import Reach, log_interest
from recdistill.distill.objectives.requirements import require_listed, require_stored_temperature
from recdistill.distill.objectives.soft_bce import soft_answers
from recdistill.distill.objectives.temperatures import temperature_advice
from recdistill.distill.schedules import Temperature
from recdistill.models.logits import Logits
from recdistill.signals.kinds import SignalKind


class Collaborative(LogitObjective):
    """Binary cross-entropy against the teacher at a rank-aware sample of items."""

    kind: Literal["collaborative"] = "collaborative"
    on: Literal["top-k"] = "top-k"
    listed: PositiveInt = 30
    """M: items drawn from each list."""
    others: NonNegativeInt = 30
    """N: items drawn outside each list."""
    reach: Reach = 20.0
    """λ, in ranks: how far down the list items are likely to be drawn."""
    guide: Literal["teacher", "student"] = "teacher"
    """Whose ranks decide what is drawn."""
    temperature: Temperature = 1.0
    """T; must be the temperature at which the signal was stored."""

    @property
    def dense(self) -> bool:
        """Never: what was drawn suffices."""
        return False

    def check(self, kind: SignalKind | None) -> None:
        """Refuse more items than are listed, and another temperature than the signal's."""
        require_listed(self.label, "listed", self.listed, kind)
        otherwise = "`{kind: soft-bce}`, which needs no rest"
        require_stored_temperature(self.label, self.temperature, kind, otherwise)

    def advice(self, signal: Signal) -> Iterator[str]:
        """Temperatures that silence the teacher."""
        yield from temperature_advice(signal["logits"], self.temperature)

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The mean over what was drawn at each position."""
        items, temperature = signal["items"], knobs["temperature"]
        scores, wanted = logits.at(items), signal["logits"]
        by = wanted if self.guide == "teacher" else scores.detach()
        columns = drawn(_by_rank(by, knobs["reach"]), min(self.listed, items.shape[1]))
        others = outside(items, logits.items, self.others)
        each = signal["rest"] - math.log(max(logits.items - items.shape[1], 1))
        unlisted = (temperature * each).unsqueeze(-1).expand(others.shape)
        student = torch.cat([scores.gather(1, columns), logits.at(others)], dim=1)
        teacher = torch.cat([wanted.gather(1, columns), unlisted], dim=1)
        return soft_answers(
            teacher - wanted.mean(1, keepdim=True),
            student - scores.mean(1, keepdim=True),
            temperature,
        )


def _by_rank(scores: Float[Tensor, "positions k"], reach: float) -> Float[Tensor, "positions k"]:
    """−r / λ of each item, r being its rank by `scores`."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    interest = log_interest(scores, reach).expand_as(scores)
    return torch.empty_like(scores).scatter_(1, order, interest)
