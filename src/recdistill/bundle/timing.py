"""How long several models take to answer, side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from recdistill.bundle.runtime import Runtime, no_candidates
from recdistill.data.sequences import Sequences

_WARM_UP = 20
_K = 10


def latencies(
    runtimes: Mapping[str, Runtime], histories: Sequences, requests: int, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Median and 99th percentile of the seconds from one history to its ten best items, on one thread.

    They answer in turn, history by history, so that whatever else the machine does meets them alike.

    Args:
        runtimes: by name.
        histories: dense ids, to draw from.
        requests: how many are timed; some more warm up.
        seed: of the draw.
    """
    rows = np.random.default_rng(seed).integers(0, len(histories), _WARM_UP + requests)
    seconds: dict[str, list[float]] = {name: [] for name in runtimes}
    for row in rows:
        asked = histories.take(np.array([row]))
        for name, runtime in runtimes.items():
            started = time.perf_counter()
            k = min(_K, runtime.num_items)
            runtime.top(asked, k, filter_seen=True, candidates=no_candidates())
            seconds[name].append(time.perf_counter() - started)
    return {
        name: (float(np.quantile(took[_WARM_UP:], 0.5)), float(np.quantile(took[_WARM_UP:], 0.99)))
        for name, took in seconds.items()
    }
