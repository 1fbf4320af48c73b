"""Where a teacher has something to teach: the teacher against the student that never heard of it, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from recdistill.evaluation.agreement import overlap
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.metrics import Metric
from recdistill.evaluation.multiplicity import holm
from recdistill.evaluation.rankings import Ranking
from recdistill.evaluation.roles import STUDENT, TEACHER, TWIN
from recdistill.evaluation.significance import Draws, Interval, interval, p_value
from recdistill.evaluation.slices import Cuts, Slice, values_within

CONFIDENCE_GROUPS = ("least sure", "less sure", "more sure", "most sure")
"""Quarters of the cases, by the probability that the teacher gives its best item."""
LEAST_USERS = 20
"""Below, a bootstrap over users tells nothing."""


def by_confidence(evaluation: Evaluation, confidence: Float64[np.ndarray, " cases"]) -> list[Slice]:
    """The targets of each of `CONFIDENCE_GROUPS`; equal confidences stay together."""
    edges = np.quantile(confidence, [0.25, 0.5, 0.75])
    groups = np.searchsorted(edges, confidence)
    sizes = evaluation.cases.targets.lengths
    return [
        Slice(name, np.repeat(groups == group, sizes), {})
        for group, name in enumerate(CONFIDENCE_GROUPS)
    ]


def leads(
    evaluation: Evaluation, metric: Metric, cuts: Cuts, one: str = TEACHER, other: str = TWIN
) -> dict[str, dict[str, Any]]:
    """One model minus another (teacher minus undistilled student) within each slice that has enough users.

    Returns:
        By cut and slice: `mean`, `low`, `high`, the two-sided bootstrap p-value `p`, and `p_holm`, corrected for
        the number of slices.
    """
    found = {
        (cut, group.name): _lead(evaluation, metric, group, one, other)
        for cut, parts in cuts.items()
        for group in parts
        if _users(evaluation, group, one) >= LEAST_USERS
    }
    p_values = {place: p_value(draws) for place, (_, draws) in found.items()}
    corrected = holm({"/".join(place): p for place, p in p_values.items()})
    told: dict[str, dict[str, Any]] = {cut: {} for cut in cuts}
    for (cut, name), (bounds, _) in found.items():
        p = {"p": p_values[cut, name], "p_holm": corrected[f"{cut}/{name}"]}
        told[cut][name] = {**vars(bounds), **p}
    return told


def _users(evaluation: Evaluation, part: Slice, role: str) -> int:
    kept = evaluation.rankings[role][0].ranks.of(part.targets)[1]
    return len(np.unique(evaluation.cases.users[kept]))


def _lead(
    evaluation: Evaluation, metric: Metric, part: Slice, one: str, other: str
) -> tuple[Interval, Draws]:
    kept = evaluation.rankings[one][0].ranks.of(part.targets)[1]
    values = {role: values_within(evaluation, role, metric, part) for role in (one, other)}
    drawn = evaluation.bootstrap.means(evaluation.cases.users[kept], values)
    draws = drawn[one] - drawn[other]
    mean = float(values[one].mean() - values[other].mean())
    return interval(mean, draws, evaluation.config.confidence), draws


def contests(evaluation: Evaluation) -> dict[str, float]:
    """In which share of the cases the teacher ranks the best answer `worse`, `better` or `equal` to the twin.

    By the rank itself, however far down the list; the mean over seeds of the twin.
    """
    teachers, twins = evaluation.rankings[TEACHER], evaluation.rankings[TWIN]
    signs = [
        np.sign(_best(teachers[seed % len(teachers)]) - _best(twin))
        for seed, twin in enumerate(twins)
    ]
    return {
        name: float(np.mean([(sign == wanted).mean() for sign in signs]))
        for name, wanted in (("worse", 1), ("better", -1), ("equal", 0))
    }


def _best(ranking: Ranking) -> Float64[np.ndarray, " cases"]:
    """The rank of each case's best target, as a number that has differences."""
    ranks = ranking.ranks
    return np.minimum.reduceat(ranks.ranks, ranks.offsets[:-1]).astype(np.float64)


def taken_over(evaluation: Evaluation, k: int = 10) -> Interval:
    """How many more items of the teacher's `k` best the student lists than its twin, as a share of the list."""
    values = {role: _overlaps(evaluation, role, k) for role in (STUDENT, TWIN)}
    draws = evaluation.bootstrap.means(evaluation.cases.users, values)
    return interval(
        float(values[STUDENT].mean() - values[TWIN].mean()),
        draws[STUDENT] - draws[TWIN],
        evaluation.config.confidence,
    )


def _overlaps(evaluation: Evaluation, role: str, k: int) -> Float64[np.ndarray, "seeds cases"]:
    teachers: Sequence[Ranking] = evaluation.rankings[TEACHER]
    return np.stack(
        [
            overlap(teachers[seed % len(teachers)].top[:, :k], one.top[:, :k])
            for seed, one in enumerate(evaluation.rankings[role])
        ]
    )
