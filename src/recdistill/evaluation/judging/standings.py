"""Where right answers stood: in rankings of the whole catalogue, and among a few candidates."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int64

from recdistill.data.cases import Cases
from recdistill.evaluation.rankings import UNRANKED, Ranking
from recdistill.teachers.chance import Standing


def in_ranking(ranking: Ranking, cases: Cases) -> Standing:
    """Of the first target of each case; cases whose target was filtered as seen are left out."""
    first = ranking.ranks.offsets[:-1]
    ranks = ranking.ranks.ranks[first].astype(np.float64)
    shown = ranking.ranks.shown.astype(np.float64)
    kept = (ranks < UNRANKED) & (shown > 1)
    return Standing(
        ranks - 1.0, np.zeros(len(ranks)), shown, cases.users.astype(np.int64), answers(cases)
    ).take(kept)


def among_candidates(
    judged: Float[np.ndarray, "rows c"],
    candidates: Int64[np.ndarray, "rows c"],
    answers: Int64[np.ndarray, " rows"],
    users: Int64[np.ndarray, " rows"],
) -> Standing:
    """Of the answers that were among the candidates that were judged.

    Args:
        judged: how each candidate was judged, higher is better; NaN where nothing was said.
        candidates: dense ids, none twice in a row.
        answers: the right item of each row.
        users: whose row it is.
    """
    there = ~np.isnan(judged)
    own = (candidates == answers[:, None]) & there
    kept = own.any(axis=1) & (there.sum(axis=1) > 1)
    judged, own, there = judged[kept], own[kept], there[kept]
    answer = judged[own][:, None]
    better = (judged > answer).sum(axis=1).astype(np.float64)
    equal = (judged == answer).sum(axis=1) - 1.0
    return Standing(better, equal, there.sum(axis=1).astype(np.float64), users[kept], answers[kept])


def answers(cases: Cases) -> Int64[np.ndarray, " cases"]:
    """The first target of each case."""
    return cases.targets.values[cases.targets.starts].astype(np.int64)
