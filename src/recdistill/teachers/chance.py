"""Does somebody who orders items know anything? Where the right answers stand, beside a random order of the same items.

Under a random order of `n` items the right one stands anywhere with probability 1/n, so what chance is worth is known
exactly and need not be drawn. What has to be estimated is how far the mean of some cases may lie from it. Cases of one
user are not independent, nor are cases with one answer: somebody who says the same of everybody puts a popular item
at the same place each time, and looks wise (or foolish) by luck. The error is therefore clustered both ways.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

DEPTH = 10
"""Of the NDCG."""
LEAST = 20
"""Fewer users tell nothing."""
SLIGHT = 0.6
"""Who orders a right and a wrong item rightly in at most so many of 1 cases may be called near-random; ½ is chance."""

Result = Literal["better than chance", "near-random", "worse than chance", "too few cases to tell"]


@dataclass(frozen=True)
class Standing:
    """Where the right answers stood.

    Attributes:
        better: how many of the other items stood above the answer.
        equal: how many stood level with it (of items nobody ordered, any order may be meant).
        among: how many items were ordered, the answer included; at least 2.
        users: whose case it is.
        answers: the right items.
    """

    better: Float64[np.ndarray, " cases"]
    equal: Float64[np.ndarray, " cases"]
    among: Float64[np.ndarray, " cases"]
    users: Int64[np.ndarray, " cases"]
    answers: Int64[np.ndarray, " cases"]

    def __len__(self) -> int:
        return len(self.better)

    def take(self, cases: Int64[np.ndarray, " chosen"] | Bool[np.ndarray, " cases"]) -> Standing:
        """The chosen cases."""
        return Standing(
            self.better[cases],
            self.equal[cases],
            self.among[cases],
            self.users[cases],
            self.answers[cases],
        )

    @cached_property
    def auc(self) -> Float64[np.ndarray, " cases"]:
        """The share of the other items that stood below the answer, ties counting half; ½ by chance."""
        return 1.0 - (self.better + self.equal / 2.0) / (self.among - 1.0)

    @cached_property
    def ndcg(self) -> Float64[np.ndarray, " cases"]:
        """NDCG@10 of the answer, the mean over all orders of what stood level."""
        first, last = self.better, self.better + self.equal + 1.0
        return (_discounts(last) - _discounts(first)) / (last - first)

    @cached_property
    def ndcg_by_chance(self) -> Float64[np.ndarray, " cases"]:
        """What NDCG@10 is worth when the order is random."""
        return _discounts(self.among) / self.among


def _discounts(places: Float64[np.ndarray, " cases"]) -> Float64[np.ndarray, " cases"]:
    """Σ 1 / log2(rank + 1) over the first `places` ranks, none below `DEPTH` counting."""
    sums = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, DEPTH + 2)))])
    return sums[np.minimum(places, DEPTH).astype(np.int64)]


@dataclass(frozen=True)
class Lead:
    """A mean above what it would be by chance.

    Attributes:
        value: the mean.
        chance: its expectation under a random order.
        low: lower end of the 95 % interval of `value`.
        high: its upper end.
        p: two-sided, of the value being as far from chance as it is.
    """

    value: float
    chance: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Verdict:
    """What the cases show.

    Attributes:
        cases: how many there were.
        users: of how many users.
        auc: how often a right item stands above another.
        ndcg: NDCG@10.
        p: two-sided; the smaller of both, doubled, since either would do (Bonferroni).
        alpha: below which `p` shows something.
    """

    cases: int
    users: int
    auc: Lead
    ndcg: Lead
    p: float
    alpha: float = 0.05

    @property
    def result(self) -> Result:
        """In a word. Who beats chance at the head of the list or over all of it is better than chance."""
        if self.users < LEAST:
            return "too few cases to tell"
        if self.p < self.alpha:
            lead = min(self.ndcg, self.auc, key=lambda one: one.p)
            return "better than chance" if lead.value > lead.chance else "worse than chance"
        return "near-random" if self.auc.high < SLIGHT else "too few cases to tell"

    def facts(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "result": self.result}


def against_chance(standing: Standing, alpha: float = 0.05) -> Verdict:
    """Judge somebody by where the right answers stood.

    Raises:
        ValueError: there are no cases.
    """
    if not len(standing):
        raise ValueError("there are no cases to judge by")
    half = np.full(len(standing), 0.5)
    auc = _lead(standing.auc, half, standing)
    ndcg = _lead(standing.ndcg, standing.ndcg_by_chance, standing)
    users = len(np.unique(standing.users))
    return Verdict(len(standing), users, auc, ndcg, min(1.0, 2.0 * min(auc.p, ndcg.p)), alpha)


def _lead(
    values: Float64[np.ndarray, " cases"], chance: Float64[np.ndarray, " cases"], standing: Standing
) -> Lead:
    """The mean with an interval around it; the p-value takes the spread around chance, as it is if nothing is known."""
    from scipy.special import stdtr, stdtrit

    mean, expected = float(values.mean()), float(chance.mean())
    groups = standing.users, standing.answers
    freedom = max(min(map(_effective, groups)) - 1.0, 1.0)
    reach = float(stdtrit(freedom, 0.975)) * clustered_error(values - mean, *groups)
    error = clustered_error(values - chance, *groups)
    p = 2.0 * float(stdtr(freedom, -abs(mean - expected) / error)) if error else 1.0
    return Lead(mean, expected, mean - reach, mean + reach, p)


def clustered_error(
    residuals: Float64[np.ndarray, " cases"],
    users: Int64[np.ndarray, " cases"],
    answers: Int64[np.ndarray, " cases"],
) -> float:
    """The standard error of a mean, by what is left of each case.

    Clustered by user and by answer: V = V_user + V_answer − V_both (Cameron, Gelbach & Miller 2011, "Robust inference
    with multiway clustering"), and never less than the larger of the two.
    """
    both = np.unique(np.stack([users, answers]), axis=1, return_inverse=True)[1].ravel()
    by_user, by_answer, by_both = (_variance(residuals, one) for one in (users, answers, both))
    return float(np.sqrt(max(by_user + by_answer - by_both, by_user, by_answer)))


def _variance(
    residuals: Float64[np.ndarray, " cases"], groups: Int64[np.ndarray, " cases"]
) -> float:
    """Of the mean, the cases of one group counting as one observation."""
    _, places = np.unique(groups, return_inverse=True)
    sums = np.bincount(places, weights=residuals)
    return float(np.square(sums).sum() / len(residuals) ** 2)


def _effective(groups: Int64[np.ndarray, " cases"]) -> float:
    """How many groups of equal size would tell as much: (Σ n)² / Σ n² (Carter, Schnepel & Steigerwald 2017)."""
    _, counts = np.unique(groups, return_counts=True)
    return float(counts.sum() ** 2 / np.square(counts).sum())
