"""Our evaluation: exact ranks of the targets, with or without top-10 lists."""

from __future__ import annotations

import sys

import inputs
import numpy as np
import polars as pl
import torch

from recdistill.data.dataset import Cases
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.evaluation.metrics import parse_all
from recdistill.evaluation.ranker import RankingOptions, rank_cases
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings


class Known(Recommender):
    """States that were given, found again by where a history begins."""

    kind = "known"
    Config = Settings

    def __init__(self, states: np.ndarray, table: np.ndarray, starts: np.ndarray) -> None:
        super().__init__(Settings(), Vocabulary(pl.Series(np.arange(len(table)))))
        self._states, self._table = torch.from_numpy(states), torch.from_numpy(table)
        self._starts = starts

    def fit(self, dataset: object, training: object = None, run: object = None) -> Known:
        return self

    def states(self, histories: Sequences) -> torch.Tensor:
        return self._states[torch.from_numpy(np.searchsorted(self._starts, histories.starts))]

    def item_table(self) -> torch.Tensor:
        return self._table


def main(cases: int, items: int) -> None:
    torch.set_num_threads(1)
    given = inputs.make(cases, items)
    histories = Sequences.from_offsets(
        given["seen"].astype(np.int32).ravel(), np.arange(0, cases * inputs.SEEN + 1, inputs.SEEN)
    )
    targets = Sequences.from_offsets(given["targets"].astype(np.int32), np.arange(cases + 1))
    questions = Cases(np.arange(cases, dtype=np.int32), histories, targets)
    model = Known(given["states"], given["table"], histories.starts)
    popularity = np.ones(items, np.int64)

    def run(depth: int) -> dict[str, float]:
        ranking = rank_cases(model, questions, RankingOptions(depth=depth))
        metrics = parse_all(["ndcg@10", "recall@10", "mrr@10", "hit@10", "precision@10"])
        figures = {str(metric): metric.value(ranking, popularity) for metric in metrics}
        return figures | ({"first": float(ranking.top[:, 0].sum())} if depth else {})

    inputs.serve({"ranks": lambda: run(0), "ranks and lists": lambda: run(10)})


main(int(sys.argv[1]), int(sys.argv[2]))
