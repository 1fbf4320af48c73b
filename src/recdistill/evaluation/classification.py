"""Where the question is "does this user like this item?": labels and scores instead of lists."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64

from recdistill.errors import DataError


def auc(labels: Bool[np.ndarray, " examples"], scores: Float64[np.ndarray, " examples"]) -> float:
    """Area under the ROC curve: ties count half.

    The chance that a liked example scores above one that is not liked.

    By mid-ranks (Mann-Whitney U), so it costs one sort whatever the number of ties.

    Raises:
        DataError: all labels are the same (nothing to tell apart), or a score is not a number.
    """
    _require_numbers(scores)
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        raise DataError(
            "AUC needs both liked and not liked examples, but all labels are the same.",
            "Use more examples, or another threshold between liked and not liked.",
        )
    wins = _mid_ranks(scores)[labels].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def accuracy(
    labels: Bool[np.ndarray, " examples"],
    scores: Float64[np.ndarray, " examples"],
    threshold: float = 0.0,
) -> float:
    """The share of examples on the right side of `threshold` (0 for logits, ½ for probabilities).

    Raises:
        DataError: there are no examples, or a score is not a number.
    """
    _require_numbers(scores)
    if len(labels) == 0:
        raise DataError("Accuracy needs at least one example.", "Check what was filtered out.")
    return float(np.mean((scores > threshold) == labels))


def _mid_ranks(scores: Float64[np.ndarray, " examples"]) -> Float64[np.ndarray, " examples"]:
    """Ascending ranks from 1; equal scores share the mean of their places."""
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends: Int64[np.ndarray, " groups"] = np.cumsum(counts)
    return (ends - (counts - 1) / 2.0)[group]


def _require_numbers(scores: Float64[np.ndarray, " examples"]) -> None:
    if np.isnan(scores).any():
        raise DataError(
            f"{int(np.isnan(scores).sum())} of {len(scores)} scores are not numbers.",
            "Look for a diverged training: a lower learning rate or a clip norm helps.",
        )
