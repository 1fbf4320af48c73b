"""One request, history to top ten: PyTorch eager against the bundle's file, one thread, 12 k items.

    python benchmarks/bundle.py [--size small|full]

All sides get dense ids and give the top ten without seen items; requests alternate between them, so that
whatever else the machine does falls on all alike.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import polars as pl
import torch
from common import Claim, finish

from recdistill.bundle.onnx_export import to_onnx
from recdistill.bundle.runtime import Runtime, no_candidates
from recdistill.bundle.students import encoder_of, item_vectors
from recdistill.bundle.table import Table
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.models.ranking import top_k
from recdistill.models.sasrec import SASRec, SASRecConfig

ITEMS, WIDTH, HISTORY, BLOCKS, K = 12_101, 64, 50, 2, 10
WARM_UP = 20
REQUESTS = {"small": 200, "full": 2_000}


def sides() -> dict[str, Callable[[Sequences], object]]:
    config = SASRecConfig(width=WIDTH, history=HISTORY, blocks=BLOCKS)
    model = SASRec(config, Vocabulary(pl.Series(range(ITEMS))))
    model.network.eval()
    exported = to_onnx(encoder_of(model), WIDTH)
    runtime = Runtime(exported, Table.of(item_vectors(model), "float32"), HISTORY, threads=1)
    return {
        "PyTorch eager, plain top-k": lambda asked: plain(model, asked),
        "PyTorch eager, exact ties": lambda asked: top_k(model, asked, K, seen=asked),
        "bundle (ONNX Runtime)": lambda asked: runtime.top(
            asked, K, filter_seen=True, candidates=no_candidates()
        ),
    }


@torch.no_grad()
def plain(model: SASRec, asked: Sequences) -> object:
    """The least that PyTorch can do: no care for ties."""
    scores = model.score(model.states(asked))
    scores[:, torch.from_numpy(asked[0].astype(np.int64))] = -torch.inf
    return scores.topk(K)


def milliseconds(requests: int) -> dict[str, list[float]]:
    random = np.random.default_rng(0)
    answering = sides()
    taken: dict[str, list[float]] = {name: [] for name in answering}
    for _ in range(WARM_UP + requests):
        length = int(random.integers(1, HISTORY, endpoint=True))
        asked = Sequences.from_lists([random.integers(0, ITEMS, length).tolist()])
        for name, answer in answering.items():
            start = time.perf_counter()
            answer(asked)
            taken[name].append(1e3 * (time.perf_counter() - start))
    return {name: values[WARM_UP:] for name, values in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=REQUESTS, default="small")
    size = parser.parse_args().size
    torch.set_num_threads(1)
    taken = milliseconds(REQUESTS[size])
    rows = [
        {
            "side": name,
            "items": ITEMS,
            "p50_ms": float(np.percentile(values, 50)),
            "p99_ms": float(np.percentile(values, 99)),
            "requests": len(values),
        }
        for name, values in taken.items()
    ]
    ratio = rows[0]["p50_ms"] / rows[-1]["p50_ms"]
    claim = Claim(
        "a request to the bundle is faster than plain PyTorch eager, p50 ratio", ratio, 1.5
    )
    finish("bundle", size, rows, [claim])


if __name__ == "__main__":
    main()
