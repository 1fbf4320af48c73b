"""Does the student say what the teacher says? And did it before it was taught?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int32

from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.roles import STUDENT, TEACHER, TWIN

Lists = Int32[np.ndarray, "cases k"]
PerCase = Float64[np.ndarray, " cases"]
_CASES_AT_ONCE = 4096


def overlap(one: Lists, other: Lists) -> PerCase:
    """The share of common items of two lists, in the longer one's length; 1 for two empty lists."""
    longer = np.maximum((one >= 0).sum(axis=1), (other >= 0).sum(axis=1))
    common = _in(one, other).sum(axis=1)
    return np.where(longer > 0, common / np.maximum(longer, 1), 1.0)


def rank_correlation(one: Lists, other: Lists) -> PerCase:
    """Kendall's tau of two top-k lists over all items of either, from -1 (disjoint) to 1 (equal).

    Fagin, Kumar & Sivakumar 2003, `K` with penalty ½: an item that a list does not show stands
    below all that it shows; two items that one list does not show are half in disorder, since
    their order there is unknown. Scaled so that disjoint lists give -1.
    """
    parts = range(0, len(one), _CASES_AT_ONCE)
    chunks = [
        _rank_correlation(one[at : at + _CASES_AT_ONCE], other[at : at + _CASES_AT_ONCE])
        for at in parts
    ]
    return np.concatenate(chunks) if chunks else np.empty(0)


def _rank_correlation(one: Lists, other: Lists) -> PerCase:
    # Every item of the union once: all of one list, and of the other what the first does not show.
    fresh = (other >= 0) & ~_in(other, one)
    items = np.concatenate([one, np.where(fresh, other, -1)], axis=1)
    there = items >= 0
    first, second = _places(items, one), _places(items, other)
    pairs = np.triu(there[:, :, None] & there[:, None, :], k=1)
    sign_first = np.sign(first[:, :, None] - first[:, None, :])
    sign_second = np.sign(second[:, :, None] - second[:, None, :])
    disorder = ((1.0 - sign_first * sign_second) / 2.0 * pairs).sum(axis=(1, 2))
    worst = _disjoint_disorder((one >= 0).sum(axis=1), (other >= 0).sum(axis=1))
    return np.where(worst > 0, 1.0 - 2.0 * disorder / np.maximum(worst, 1e-9), 1.0)


def _disjoint_disorder(one: np.ndarray, other: np.ndarray) -> PerCase:
    """The disorder of two disjoint lists: every cross pair, half of every inner pair."""
    return one * other + (one * (one - 1) + other * (other - 1)) / 4.0


def _places(items: Int32[np.ndarray, "cases all"], lists: Lists) -> Int32[np.ndarray, "cases all"]:
    """Where each item stands in the list; one place below the list for what it does not show."""
    found = items[:, :, None] == lists[:, None, :]
    places = np.where(found.any(axis=2), found.argmax(axis=2), lists.shape[1])
    return places.astype(np.int32)


def _in(items: Lists, lists: Lists) -> Bool[np.ndarray, "cases k"]:
    """Which items of a row stand in the same row of `lists`."""
    return ((items[:, :, None] == lists[:, None, :]) & (items >= 0)[:, :, None]).any(axis=2)


def agreement(evaluation: Evaluation, k: int = 10) -> dict[str, dict[str, float]]:
    """Mean overlap and rank correlation with the teacher's `k` best, of student and twin."""
    if TEACHER not in evaluation.rankings:
        return {}
    roles = [role for role in (STUDENT, TWIN) if role in evaluation.rankings]
    return {role: _with_teacher(evaluation, role, k) for role in roles}


def _with_teacher(evaluation: Evaluation, role: str, k: int) -> dict[str, float]:
    teachers, models = evaluation.rankings[TEACHER], evaluation.rankings[role]
    pairs = [
        (teachers[seed % len(teachers)].top[:, :k], one.top[:, :k])
        for seed, one in enumerate(models)
    ]
    return {
        f"overlap@{k}": float(np.mean([overlap(a, b).mean() for a, b in pairs])),
        f"rank_correlation@{k}": float(np.mean([rank_correlation(a, b).mean() for a, b in pairs])),
    }
