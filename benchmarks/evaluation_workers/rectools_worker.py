"""RecTools' rankers: top-10 lists of every case, seen items left out."""

from __future__ import annotations

import sys

import inputs
import numpy as np
import torch
from rectools.models.rank import Distance, ImplicitRanker
from rectools.models.rank.rank_torch import TorchRanker
from scipy import sparse


def main(cases: int, items: int) -> None:
    torch.set_num_threads(1)
    given = inputs.make(cases, items)
    rows = np.repeat(np.arange(cases), inputs.SEEN)
    seen = sparse.csr_matrix(
        (np.ones(len(rows), np.float32), (rows, given["seen"].ravel())), (cases, items)
    )
    ids = np.arange(cases)

    def run(ranker, **options) -> dict[str, float]:
        _, found, _ = ranker.rank(ids, k=10, filter_pairs_csr=seen, **options)
        return {"first": float(np.asarray(found).reshape(cases, 10)[:, 0].sum())}

    states, table = given["states"], given["table"]
    inputs.serve(
        {
            "implicit": lambda: run(ImplicitRanker(Distance.DOT, states, table, num_threads=1)),
            "torch": lambda: run(TorchRanker(Distance.DOT, "cpu", states, table, batch_size=128)),
        }
    )


main(int(sys.argv[1]), int(sys.argv[2]))
