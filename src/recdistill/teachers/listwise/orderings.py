"""In which orders candidates are shown: each order of a pair is the other backwards."""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import Int32, Int64

from recdistill.data.contexts import mix


def orderings(
    history: Int32[np.ndarray, " history"], candidates: Int64[np.ndarray, " c"], count: int
) -> Int64[np.ndarray, "count c"]:
    """`count` orders of the candidates: shuffled by what they and the history are, and every second one the reverse of
    the one before.

    Language models prefer what stands first, or last (Wang et al. 2024, "Large language models are not fair
    evaluators"); in a pair of opposite orders such a preference cancels, and shows as disagreement. Nothing is told
    by the order: that of the base is not seen, and a base that orders the same candidates otherwise asks the same.
    """
    known = np.sort(candidates)
    orders = [_shuffled(history, known, place // 2) for place in range(count)]
    return np.stack([order[::-1] if place % 2 else order for place, order in enumerate(orders)])


def _shuffled(
    history: Int32[np.ndarray, " history"], candidates: Int64[np.ndarray, " c"], number: int
) -> Int64[np.ndarray, " c"]:
    told = history.astype("<i8").tobytes() + candidates.astype("<i8").tobytes() + bytes([number])
    start = np.frombuffer(hashlib.sha256(told).digest()[:8], dtype="<u8").astype(np.uint64)
    with np.errstate(over="ignore"):
        draws = mix(start + np.arange(len(candidates), dtype=np.uint64))
    return candidates[np.argsort(draws, kind="stable")]
