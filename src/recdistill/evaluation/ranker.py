"""One model over all cases, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recdistill.data.dataset import Cases
from recdistill.evaluation.rankings import UNRANKED, Ranking, Ranks
from recdistill.models.ranking import Questions, rank
from recdistill.models.ranking.counting import distinct
from recdistill.models.recommender import Recommender


@dataclass(frozen=True)
class RankingOptions:
    """How much is kept and with how much memory; memory never changes a result.

    Attributes:
        depth: how many items of each list are kept; 0 keeps none and is faster.
        filter_seen: whether the items of a case's history are left out of its list.
        memory_mb: how much memory scores may take at once. A product of states and item table needs
            2 MB whatever the catalogue; another model at least one row of the catalogue.
    """

    depth: int = 10
    filter_seen: bool = True
    memory_mb: float = 256.0


def rank_cases(
    model: Recommender,
    cases: Cases,
    options: RankingOptions,
    advance: Callable[[int], None] = lambda cases: None,
) -> Ranking:
    """Rank the whole catalogue for every case.

    Args:
        model: any recommender; one that is not factorised is asked for whole rows by its `score`.
        cases: the questions.
        options: depth, filter and memory.
        advance: told how many more cases are done.

    Raises:
        RecDistillError: a score is not a number.
    """
    started = time.perf_counter()
    seen = cases.histories if options.filter_seen else cases.histories.tail(0)
    questions = Questions(cases.histories, cases.targets, seen)
    found = rank(
        model, questions, depth=options.depth, memory_mb=options.memory_mb, advance=advance
    )
    ranks = np.where(found.hidden, UNRANKED, found.ranks).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(cases.targets.lengths)]).astype(np.int64)
    shown = (len(model.vocabulary) - distinct(seen)).astype(np.int32)
    top = found.items.numpy().astype(np.int32)
    return Ranking(Ranks(ranks, offsets, shown), top, time.perf_counter() - started)
