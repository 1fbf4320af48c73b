"""From the answers about one history to one judgement of its candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float32, Float64, Int64

_HALF = 0.5
"""How far an answer is believed whose opposite order was not answered."""


@dataclass(frozen=True)
class Ballot:
    """One answer, by candidate.

    Attributes:
        ranks: 1 is the best; candidates that it left out share the ranks behind all others.
        shown: where each candidate stood, from 0.
        certainty: the probability of its first choice, where the endpoint tells; else `None`.
        rationale: why, in the model's words.
    """

    ranks: Float64[np.ndarray, " c"]
    shown: Int64[np.ndarray, " c"]
    certainty: float | None = None
    rationale: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What all answers about a history come to.

    Attributes:
        judgement: of each candidate, -confidence · log(mean rank); NaN where nothing was said, or opposite things.
        agreement: the mean correlation of the ranks of two orders; `None` with fewer than two.
        bias: the mean correlation of ranks with places; above 0, what stands first is preferred.
        rationale: the first that was given.
        best: the place of the candidate that is judged best; `None` where nothing was said.
        reason: why that one: the first rationale of an answer that put it first.
    """

    judgement: Float32[np.ndarray, " c"]
    agreement: float | None = None
    bias: float | None = None
    rationale: str | None = None
    best: int | None = None
    reason: str | None = None


def ranks(ranking: Sequence[int], count: int) -> Float64[np.ndarray, " c"]:
    """The rank of each of `count` places; those that are not in `ranking` share the mean of the ranks that are left."""
    found = np.full(count, (len(ranking) + 1 + count) / 2)
    found[list(ranking)] = 1.0 + np.arange(len(ranking))
    return found


def verdict(ballots: Sequence[Ballot], orders: int, count: int) -> Verdict:
    """What the `ballots` say of `count` candidates, of which `orders` were asked for.

    The confidence is the mean certainty where the endpoint tells probabilities, and else how far answers to
    different orders agree (self-consistency). Answers that contradict each other, on the whole, say nothing: they
    were about the places and not about the items.
    """
    if not ballots:
        return Verdict(np.full(count, np.nan, dtype=np.float32))
    pairs = [correlation(one.ranks, two.ranks) for one, two in combinations(ballots, 2)]
    agreement = float(np.mean(pairs)) if pairs else None
    bias = float(np.mean([correlation(one.ranks, one.shown.astype(float)) for one in ballots]))
    rationale = next((one.rationale for one in ballots if one.rationale), None)
    confidence = _confidence(ballots, agreement, orders)
    means = np.mean([one.ranks for one in ballots], axis=0)
    if confidence <= 0:
        return Verdict(np.full(count, np.nan, dtype=np.float32), agreement, bias, rationale)
    judgement, best = (-confidence * np.log(means)).astype(np.float32), int(means.argmin())
    return Verdict(judgement, agreement, bias, rationale, best, _reason(ballots, best))


def _reason(ballots: Sequence[Ballot], best: int) -> str | None:
    return next((one.rationale for one in ballots if one.rationale and one.ranks[best] == 1), None)


def _confidence(ballots: Sequence[Ballot], agreement: float | None, orders: int) -> float:
    if agreement is not None and agreement <= 0:
        return 0.0
    certain = [one.certainty for one in ballots if one.certainty is not None]
    if certain:
        return float(np.mean(certain))
    if agreement is None:
        return 1.0 if orders == 1 else _HALF
    return agreement


def correlation(one: Float64[np.ndarray, " c"], two: Float64[np.ndarray, " c"]) -> float:
    """Pearson's, of ranks Spearman's; 0 where one of the two does not vary."""
    one, two = one - one.mean(), two - two.mean()
    scale = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum() / scale) if scale > 0 else 0.0
