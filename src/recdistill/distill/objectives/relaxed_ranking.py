"""`relaxed-ranking`: some interesting items in the teacher's order, and all uninteresting ones below,
in whatever order.

    L = − 1/K · Σ_{r ≤ K} [ s_r − log( Σ_{r ≤ i ≤ K} exp s_i + Σ_{j ≤ L} exp s_j ) ]

the negative log-likelihood of that order by Plackett–Luce (RRD: Kang et al. 2020).
The K interesting items are drawn from the list without replacement, in proportion to exp(−r / λ), and
kept in the teacher's order; the L uninteresting are drawn evenly outside it. The paper sums over the
choices; the mean keeps the size of the term when K changes.

This is the user side. The item side of IR-RRD ranks *positions* for an item, and no stored signal
lists these.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.draws import drawn, outside
from recdistill.distill.objectives.plackett_luce import choice_log_likelihoods
from recdistill.distill.objectives.ranks import Reach, log_interest
from recdistill.distill.objectives.requirements import require_listed
from recdistill.models.logits import Logits
from recdistill.signals.kinds import SignalKind


class RelaxedRanking(LogitObjective):
    """Likelihood of a sample of the teacher's order, with a sample of the rest below it."""

    kind: Literal["relaxed-ranking"] = "relaxed-ranking"
    on: Literal["top-k"] = "top-k"
    interesting: PositiveInt = 40
    """K: items drawn from each list."""
    uninteresting: NonNegativeInt = 40
    """L: items drawn outside each list."""
    reach: Reach = 10.0
    """λ, in ranks: how far down the list items are likely to be drawn."""

    @property
    def dense(self) -> bool:
        """Never: what was drawn suffices."""
        return False

    def check(self, kind: SignalKind | None) -> None:
        """Refuse more interesting items than the signal lists."""
        require_listed(self.label, "interesting", self.interesting, kind)

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The mean negative log-likelihood of a choice at each position."""
        items = signal["items"]
        interest = log_interest(signal["logits"], knobs["reach"]).expand_as(signal["logits"])
        columns = drawn(interest, min(self.interesting, items.shape[1]))
        ordered = logits.at(items.gather(1, columns))
        below = logits.at(outside(items, logits.items, self.uninteresting))
        return -choice_log_likelihoods(ordered, below).mean(-1)
