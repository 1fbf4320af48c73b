"""Position bias: how much the order in which candidates were presented explains the order in which they come back.

With two orders of the same candidates the items' own merits cancel: what is left of the difference between both
answers is the order's doing, or noise. With one order, merit and place cannot be told apart unless the order was
random.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64

_SLIGHT = 0.05
"""A slope that moves an item by less than a twentieth of a place for each place is not worth a word."""


@dataclass(frozen=True)
class OrderBias:
    """What the presented order does to an answer.

    Attributes:
        slope: how many places an item rises in the answer when it is presented one place earlier: 1 repeats the
            order, 0 does not see it, below 0 prefers what comes late.
        low: lower end of its 95 % interval.
        high: its upper end.
        agreement: Kendall's tau of the answers to both orders, ties as in tau-b, the mean over questions; `None` where
            there was only one order.
        asked: how many questions were answered in every order.
    """

    slope: float
    low: float
    high: float
    agreement: float | None
    asked: int

    @property
    def shown(self) -> bool:
        """Whether the order matters beyond doubt, and enough to be told."""
        return (self.low > 0 or self.high < 0) and abs(self.slope) >= _SLIGHT

    def facts(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "shown": self.shown}


def two_orders(
    first: Float[np.ndarray, "rows c"],
    second: Float[np.ndarray, "rows c"],
    order: Float[np.ndarray, "rows c"],
    other: Float[np.ndarray, "rows c"],
) -> OrderBias | None:
    """The bias of somebody who judged the same candidates twice.

    The slope is the within-item estimate: β = Σ Δplace · Δrank / Σ Δplace², differences between both presentations
    (first differences take out whatever is an item's own; Wooldridge 2010, section 10.5).

    Args:
        first: how each candidate was judged the first time, higher is better; candidates with a NaN are passed over.
        second: the second time, the same candidates in the same columns.
        order: where each candidate stood when it was presented the first time.
        other: where it stood the second time.

    Returns:
        `None` where no question was answered twice, or the two orders are one.
    """
    there = ~np.isnan(first) & ~np.isnan(second)
    ranks = [_ranks(-judged, there) for judged in (first, second)]
    places = [_ranks(shown, there) for shown in (order, other)]
    rows = np.flatnonzero(there.sum(axis=1) > 1)
    taus = [_tau_b(ranks[0][row][there[row]], ranks[1][row][there[row]]) for row in rows]
    moved, answered = places[0] - places[1], ranks[0] - ranks[1]
    return _bias(moved[rows], answered[rows], float(np.mean(taus)) if taus else None)


def one_order(
    judged: Float[np.ndarray, "rows c"], order: Float[np.ndarray, "rows c"]
) -> OrderBias | None:
    """The bias of somebody who judged candidates once; only if these were presented in a random order.

    Args:
        judged: as `two_orders` has it.
        order: where each candidate stood when it was presented.
    """
    there = ~np.isnan(judged)
    ranks, places = _ranks(-judged, there), _ranks(order, there)
    middle = np.where(there, (there.sum(axis=1, keepdims=True) - 1) / 2.0, 0.0)
    rows = spoken(judged)
    return _bias((places - middle)[rows], (ranks - middle)[rows], None)


def _bias(
    moved: Float64[np.ndarray, "rows c"],
    answered: Float64[np.ndarray, "rows c"],
    agreement: float | None,
) -> OrderBias | None:
    """The slope through the origin, its error clustered by question (candidates of one compete)."""
    from scipy.special import stdtrit

    power = float(np.square(moved).sum())
    if not power or len(moved) < 2:
        return None
    slope = float((moved * answered).sum()) / power
    left = (moved * (answered - slope * moved)).sum(axis=1)
    count = len(moved)
    error = float(np.sqrt(np.square(left).sum() * count / (count - 1))) / power
    reach = float(stdtrit(count - 1, 0.975)) * error
    return OrderBias(slope, slope - reach, slope + reach, agreement, count)


def spoken(judged: Float[np.ndarray, "rows c"]) -> Bool[np.ndarray, " rows"]:
    """Which questions were answered: something was said of two candidates at least."""
    return (~np.isnan(judged)).sum(axis=1) > 1


def _ranks(
    values: Float[np.ndarray, "rows c"], there: Bool[np.ndarray, "rows c"]
) -> Float64[np.ndarray, "rows c"]:
    """Among those that are `there`: from 0, the smallest first, equals share their mean rank; 0 for all others."""
    one, other = values[:, :, None], values[:, None, :]
    below = ((other < one) & there[:, None, :]).sum(axis=2)
    level = ((other == one) & there[:, None, :]).sum(axis=2)
    return np.where(there, below + (level - 1) / 2.0, 0.0)


def _tau_b(one: Float64[np.ndarray, " c"], other: Float64[np.ndarray, " c"]) -> float:
    """Kendall's tau-b; 1 where both have all items level, 0 where one has."""
    signs = [np.sign(ranks[:, None] - ranks[None, :]) for ranks in (one, other)]
    spreads = [float(np.square(sign).sum()) for sign in signs]
    if not all(spreads):
        return float(spreads[0] == spreads[1])
    return float((signs[0] * signs[1]).sum() / np.sqrt(spreads[0] * spreads[1]))
