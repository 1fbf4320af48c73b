"""The same random states, items, histories and targets for every contestant, made from one seed."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

WIDTH = 64
SEEN = 9


def make(cases: int, items: int) -> dict[str, np.ndarray]:
    """`states`, `table`, `seen` (nine items a case) and `targets` (one a case, not seen)."""
    random = np.random.default_rng(0)
    seen = random.integers(0, items, (cases, SEEN))
    targets = random.integers(0, items, cases)
    seen[seen == targets[:, None]] = (targets[0] + 1) % items
    return {
        "states": random.standard_normal((cases, WIDTH), dtype=np.float32),
        "table": random.standard_normal((items, WIDTH), dtype=np.float32),
        "seen": seen,
        "targets": targets,
    }


def serve(runs: dict[str, Callable[[], dict[str, float]]]) -> None:
    """Run what standard input names, one line a run; answer seconds, growth of memory and figures."""
    held = _peak_mb()
    print(json.dumps({"ready": list(runs)}), flush=True)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        figures = runs[line.strip()]()
        answer: dict[str, Any] = {
            "seconds": time.process_time() - cpu,
            "wall_seconds": time.perf_counter() - wall,
            "memory_mb": _peak_mb() - held,
            "figures": figures,
        }
        print(json.dumps(answer), flush=True)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
