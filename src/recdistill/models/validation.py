"""What early stopping looks at: NDCG@10 on the validation cases, over the whole catalogue."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.models.ranking import ndcg, target_ranks
from recdistill.models.recommender import Recommender


def validation(model: Recommender, dataset: Dataset) -> Callable[[], float] | None:
    """A measurement of `model` as it is when called: mean NDCG@10 over the cases; `None` without cases.

    Items of a history are left out of its list unless users of this dataset take items repeatedly,
    as in evaluation.
    """
    cases = dataset.valid
    if not len(cases):
        return None
    seen = None if takes_repeat(dataset.train.histories) else cases.histories
    histories = model.trimmed(cases.histories)

    def measure() -> float:
        ranks = target_ranks(model, histories, cases.targets, seen)
        return float(ndcg(ranks, cases.targets).mean())

    return measure


def takes_repeat(histories: Sequences) -> bool:
    """Whether any row holds any item twice."""
    rows = np.repeat(np.arange(len(histories), dtype=np.int64), histories.lengths)
    keys = np.sort((rows << 32) | histories.values[histories.places()])
    return bool((keys[1:] == keys[:-1]).any())
