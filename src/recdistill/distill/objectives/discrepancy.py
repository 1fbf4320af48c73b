"""`discrepancy`: what the student ranks too low goes up, what it ranks too high goes below that.

    d_i = r̂_S(i) − r_T(i)                                                    rank discrepancy
    U: K items drawn without replacement in proportion to tanh( μ · max( d, 0) )    under-estimated
    O: L items drawn likewise in proportion to            tanh( μ · max(−d, 0) )    over-estimated
    L = − 1/|U| · Σ_{r ≤ |U|} [ s_r − log( Σ_{i ≥ r} exp s_i + Σ_{j ∈ O} exp s_j ) ]

with U in the teacher's order (DCD: Lee & Kim 2021: the relaxed ranking loss of
`relaxed-ranking`, on a sample that says what is still wrong rather than what the teacher likes).

r̂_S is the student's rank in the catalogue, without gradients: exact within the list, estimated outside
by a sample. Under-estimated items are listed ones. Over-estimated are listed ones and sampled others:
the teacher's rank of one outside the list is unknown but at least k + 1, which it is taken for, so such
an item counts only where it is over-estimated for certain. Where fewer than K or L items have a
discrepancy, those that have are all there is; where none is under-estimated, the loss is 0.

The user side of the paper; its item side ranks positions for an item, which no stored signal lists.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import AfterValidator, PositiveInt
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.draws import drawn
from recdistill.distill.objectives.plackett_luce import choice_log_likelihoods
from recdistill.distill.objectives.ranks import student_ranks
from recdistill.distill.objectives.requirements import require_listed
from recdistill.distill.schedules import Schedule, Within
from recdistill.models.logits import Logits
from recdistill.signals.kinds import SignalKind

_NOWHERE = -1e4
"""A score below all scores, that takes an item out of a sum of exponentials and stays finite."""


def corrected_order(
    under: Float[Tensor, "positions k"],
    under_counts: Bool[Tensor, "positions k"],
    over: Float[Tensor, "positions m"],
    over_counts: Bool[Tensor, "positions m"],
) -> Float[Tensor, " positions"]:
    """The mean negative log-likelihood of the `under` that count, in order, with the `over` that
    count below them; 0 where none of `under` counts."""
    # What does not count goes to the front: no later choice has it to choose from.
    front = under_counts.int().argsort(dim=1, stable=True)
    ordered, counts = under.gather(1, front), under_counts.gather(1, front)
    below = over.masked_fill(~over_counts, _NOWHERE)
    likelihoods = torch.where(counts, choice_log_likelihoods(ordered, below), 0.0)
    return -likelihoods.sum(-1) / counts.sum(-1).clamp_min(1)


class Discrepancy(LogitObjective):
    """Likelihood of the teacher's order among what the student ranks wrong."""

    kind: Literal["discrepancy"] = "discrepancy"
    on: Literal["top-k"] = "top-k"
    under: PositiveInt = 40
    """K: under-estimated items drawn from each list."""
    over: PositiveInt = 40
    """L: over-estimated items drawn for each position."""
    sharpness: Annotated[Schedule, AfterValidator(Within(0.0, open=True))] = 0.1
    """μ: how fast a discrepancy of ranks becomes a chance to be drawn; 1 at about 2 / μ ranks."""
    samples: PositiveInt = 100
    """Items drawn outside the list of each position to estimate the student's ranks."""

    @property
    def dense(self) -> bool:
        """Never: what was drawn suffices."""
        return False

    def check(self, kind: SignalKind | None) -> None:
        """Refuse more under-estimated items than the signal lists."""
        require_listed(self.label, "under", self.under, kind)

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The mean negative log-likelihood of a choice at each position."""
        items = signal["items"]
        with torch.no_grad():
            every, ranks = student_ranks(logits, items, logits.at(items), self.samples)
            gaps = ranks - _teacher_ranks(ranks, items.shape[1])
            chances = torch.tanh(knobs["sharpness"] * gaps)
            low, low_counts = _drawn_where(chances[:, : items.shape[1]], self.under)
            high, high_counts = _drawn_where(-chances, self.over)
        return corrected_order(
            logits.at(every.gather(1, low)),
            low_counts,
            logits.at(every.gather(1, high)),
            high_counts,
        )


def _teacher_ranks(ranks: Float[Tensor, "positions m"], listed: int) -> Float[Tensor, " m"]:
    """1 … k of the listed, and k + 1 of all others."""
    columns = torch.arange(1, ranks.shape[1] + 1, device=ranks.device, dtype=ranks.dtype)
    return columns.clamp_max(listed + 1)


def _drawn_where(
    chances: Float[Tensor, "positions m"], count: int
) -> tuple[Tensor, Bool[Tensor, "positions drawn"]]:
    """Columns drawn in proportion to positive chances, and which of them have a positive chance."""
    columns = drawn(chances.clamp_min(0).log(), min(count, chances.shape[1]))
    return columns, chances.gather(1, columns) > 0
