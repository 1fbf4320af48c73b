"""What the rest of the package asks of a ranking."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from recdistill.data.sequences import Sequences
from recdistill.models.ranking.rank import Questions, rank
from recdistill.models.recommender import Recommender

MEMORY_MB = 16.0
"""How much memory scores take at once; a single row of the catalogue at least."""


def top_k(
    model: Recommender,
    histories: Sequences,
    k: int,
    *,
    seen: Sequences | None = None,
    candidates: Int64[Tensor, " candidates"] | None = None,
    memory_mb: float = MEMORY_MB,
) -> tuple[Float32[Tensor, "rows k"], Int64[Tensor, "rows k"]]:
    """The best `k` items after each history.

    Args:
        model: what scores.
        histories: rows of dense ids.
        k: length of the lists; cut to the number of items there are.
        seen: items that a row's list does not show.
        candidates: ascending dense ids, the only ones that lists show; `None` for all.
        memory_mb: bound of the memory for scores.

    Returns:
        Scores and items, best first; `-inf` and -1 where a row has fewer than `k` items to show.

    Raises:
        RecDistillError: a score is not a number.
    """
    k = min(k, len(model.vocabulary) if candidates is None else len(candidates))
    if not k:
        nothing = torch.empty(len(histories), 0)
        return nothing, nothing.long()
    questions = Questions(histories, seen=seen, candidates=candidates)
    found = rank(model, questions, depth=k, memory_mb=memory_mb)
    return found.scores, found.items


def target_ranks(
    model: Recommender,
    histories: Sequences,
    targets: Sequences,
    seen: Sequences | None = None,
    memory_mb: float = MEMORY_MB,
) -> Int64[np.ndarray, " targets"]:
    """The rank of every target of every row (end to end), by counting the items that beat it.

    A target that is itself among the `seen` ranks behind the whole catalogue.

    Raises:
        RecDistillError: a score is not a number.
    """
    found = rank(model, Questions(histories, targets, seen), depth=0, memory_mb=memory_mb)
    return np.where(found.hidden, len(model.vocabulary), found.ranks).astype(np.int64)


def ndcg(
    ranks: Int64[np.ndarray, " targets"], targets: Sequences, k: int = 10
) -> Float64[np.ndarray, " rows"]:
    """Normalised discounted cumulative gain at `k` of each row (Järvelin & Kekäläinen 2002).

    `Σ 1 / log2(1 + rank)` over targets within `k`, divided by the best possible sum. Rows have at
    least one target.
    """
    gains = np.where(ranks <= k, 1 / np.log2(1.0 + ranks), 0.0)
    rows = np.repeat(np.arange(len(targets)), targets.lengths)
    ideal = np.cumsum(1 / np.log2(2.0 + np.arange(k)))
    return np.bincount(rows, gains, len(targets)) / ideal[np.minimum(targets.lengths, k) - 1]
