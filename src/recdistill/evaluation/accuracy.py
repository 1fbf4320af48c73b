"""How high the right answers stand: one number a case, from ranks alone.

Conventions are those of `trec_eval`: gains are binary, average precision is divided by the number
of targets (not by `min(targets, k)`), precision always by `k`, also when a list is shorter.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from recdistill.evaluation.rankings import Ranks

PerCase = Float64[np.ndarray, " cases"]


def hits(ranks: Ranks, k: int) -> PerCase:
    """How many targets stand among the best `k`."""
    return ranks.total((ranks.ascending <= k).astype(np.float64))


def ndcg(ranks: Ranks, k: int) -> PerCase:
    """Discounted gain `Σ 1 / log2(rank + 1)` of the best `k`, over that of a perfect list.

    Järvelin & Kekäläinen 2002, with binary gains.
    """
    gains = np.where(ranks.ascending <= k, 1.0 / np.log2(ranks.ascending + 1.0), 0.0)
    perfect = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))])
    return _ratio(ranks.total(gains), perfect[np.minimum(ranks.sizes, k)])


def hit(ranks: Ranks, k: int) -> PerCase:
    """1 where at least one target stands among the best `k`."""
    return (hits(ranks, k) > 0).astype(np.float64)


def recall(ranks: Ranks, k: int) -> PerCase:
    """The share of the targets that stand among the best `k`."""
    return _ratio(hits(ranks, k), ranks.sizes.astype(np.float64))


def precision(ranks: Ranks, k: int) -> PerCase:
    """The share of the best `k` that are targets."""
    return hits(ranks, k) / k


def f1(ranks: Ranks, k: int) -> PerCase:
    """The harmonic mean of precision and recall, `2 · hits / (k + targets)`."""
    return 2.0 * hits(ranks, k) / (k + ranks.sizes)


def average_precision(ranks: Ranks, k: int) -> PerCase:
    """The mean, over all targets, of the precision at each one among the best `k` (0 elsewhere)."""
    precisions = np.where(ranks.ascending <= k, ranks.found / ranks.ascending, 0.0)
    return _ratio(ranks.total(precisions), ranks.sizes.astype(np.float64))


def reciprocal_rank(ranks: Ranks, k: int | None = None) -> PerCase:
    """One over the rank of the best target; 0 where it stands below `k`."""
    best = np.full(len(ranks), np.inf)
    answered = ranks.sizes > 0
    best[answered] = ranks.ascending[ranks.offsets[:-1][answered]]
    return np.where(best <= (np.inf if k is None else k), 1.0 / best, 0.0)


def auc(ranks: Ranks) -> PerCase:
    """The chance that a target stands above another item of the whole list (Mann-Whitney).

    0 for a filtered target, and ½ where there is nothing to compare with. Ties are broken by item
    id as everywhere; `classification.auc` gives them half a point.
    """
    others = (ranks.shown - ranks.total((ranks.ascending < np.inf).astype(np.float64)))[
        ranks.owners
    ]
    above = np.minimum(ranks.ascending - ranks.found, others)
    shares = np.where(others > 0, 1.0 - above / np.maximum(others, 1.0), 0.5)
    return _ratio(ranks.total(shares), ranks.sizes.astype(np.float64))


def _ratio(part: PerCase, whole: PerCase) -> PerCase:
    """`part / whole`, 0 where a case has no target."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
