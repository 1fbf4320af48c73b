"""Serving, a part at a time.

    python benchmarks/serving.py scoring [--size small|full]
    python benchmarks/serving.py precision --run RUN [--size small|full]

`scoring`: a state to its top 20, one thread, over random vectors of width 64: our scorers against numpy, PyTorch and
faiss (left out where it is not installed). Bursts of ten requests alternate between all, so that whatever else the
machine does falls on all alike; every answer of ours is compared with all scores in doubles, sorted.

`precision`: a run's first student as a bundle in each precision: how large its files are, and NDCG@10 on validation.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from common import Claim, finish

from recdistill.bundle.bundle import Bundle
from recdistill.bundle.export import export
from recdistill.bundle.manifest import MODEL, TABLE, Precision
from recdistill.bundle.scoring.exact import exact
from recdistill.bundle.scoring.int8_scan import int8_scan
from recdistill.data.cases import Cases
from recdistill.data.dataset import Dataset
from recdistill.models.recommender import Recommender

WIDTH, K = 64, 20
ITEMS = {"small": (12_101, 100_000), "full": (12_101, 100_000, 1_000_000)}
SCANNED = 30_000_000
"""Items looked at by each side: fewer requests where there are more items."""
BURST = 10
"""Requests to one side in a row: as when it serves, the first finds its table cold and the rest do not."""
CASES = {"small": 2_000, "full": 1_000_000}
TARGETS_MS = {100_000: 0.65, 1_000_000: 8.0}
Answer = Callable[[np.ndarray], Any]


def sides(table: np.ndarray) -> dict[str, Answer]:
    scan, plain, tensor = (
        int8_scan(table.__getitem__, len(table)),
        exact(table),
        torch.from_numpy(table),
    )
    found: dict[str, Answer] = {
        "int8-scan (ours)": lambda state: scan.top(state, K),
        "exact (ours)": lambda state: plain.top(state, K),
        "numpy": lambda state: _numpy(table, state[0]),
        "PyTorch": lambda state: torch.topk(tensor @ torch.from_numpy(state[0]), K),
    }
    try:
        import faiss
    except ImportError:
        return found
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatIP(WIDTH)
    flat.add(table)
    return {**found, "faiss flat": lambda state: flat.search(state, K)}


def _numpy(table: np.ndarray, state: np.ndarray) -> np.ndarray:
    scores = table @ state
    best = np.argpartition(scores, -K)[-K:]
    return best[np.argsort(-scores[best])]


def rows_for(items: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(0)
    table = random.normal(size=(items, WIDTH)).astype(np.float32)
    answering, requests = sides(table), max(SCANNED // items, 20)
    taken: dict[str, list[float]] = {name: [] for name in answering}
    right: dict[str, list[bool]] = {name: [] for name in answering if "ours" in name}
    for first in range(0, requests, BURST):
        states = random.normal(size=(BURST, 1, WIDTH)).astype(np.float32)
        for name, answer in answering.items():
            for state in states:
                start = time.perf_counter()
                given = answer(state)
                taken[name].append(1e3 * (time.perf_counter() - start))
                if name in right and first < 2 * BURST:
                    right[name].append(given[0][0].tolist() == _sorted(table, state[0]))
    return [
        {
            "side": name,
            "items": items,
            "p50_ms": float(np.percentile(values, 50)),
            "p10_ms": float(np.percentile(values, 10)),
            "p99_ms": float(np.percentile(values, 99)),
            "requests": len(values),
            "exact": float(np.mean(right[name])) if name in right else None,
        }
        for name, values in taken.items()
    ]


def _sorted(table: np.ndarray, state: np.ndarray) -> list[int]:
    scores = (table.astype(np.float64) @ state.astype(np.float64)).astype(np.float32)
    return np.argsort(-scores, kind="stable")[:K].tolist()


def claims(rows: list[dict[str, Any]]) -> list[Claim]:
    ours = {row["items"]: row for row in rows if row["side"].startswith("int8-scan")}
    found = [
        Claim(f"int8-scan over {items:,} items, p50 ms", ours[items]["p50_ms"], most, "at most")
        for items, most in TARGETS_MS.items()
        if items in ours
    ]
    for items, row in ours.items():
        peers = [
            one["p50_ms"] for one in rows if one["items"] == items and "ours" not in one["side"]
        ]
        ratio = min(peers) / row["p50_ms"]
        found.append(
            Claim(f"int8-scan over {items:,} items against the best peer, p50 ratio", ratio, 1.0)
        )
    shares = [row["exact"] for row in rows if row["exact"] is not None]
    return [*found, Claim("lists of ours that are those of a float64 sort", min(shares), 1.0)]


def scoring(asked: argparse.Namespace) -> None:
    rows = [row for items in ITEMS[asked.size] for row in rows_for(items)]
    finish("serving-scoring", asked.size, rows, claims(rows))


def precision(asked: argparse.Namespace) -> None:
    student = Recommender.load(sorted((asked.run / "student").glob("seed-*"))[0] / "model")
    dataset = Dataset.open(asked.run / "dataset")
    rows = []
    for form in get_args(Precision):
        with tempfile.TemporaryDirectory() as folder:
            bundle = export(student, dataset, Path(folder) / "bundle", precision=form)
            sizes = {name: entry.size for name, entry in bundle.info.files.items()}
            rows.append(
                {
                    "precision": form,
                    "items": dataset.num_items,
                    "model_bytes": sizes[MODEL],
                    "table_bytes": sizes[TABLE],
                    "all_bytes": sum(sizes.values()),
                    "ndcg@10": _ndcg(bundle, dataset.valid, CASES[asked.size]),
                    "kept": bundle.info.narrowing.kept if bundle.info.narrowing else 1.0,
                }
            )
    wide, narrow = rows[0], rows[-1]
    times = (wide["model_bytes"] + wide["table_bytes"]) / (
        narrow["model_bytes"] + narrow["table_bytes"]
    )
    held = [
        Claim("model and table in float32 against int8, times", times, 3.5),
        Claim("NDCG@10 that int8 keeps", narrow["ndcg@10"] / wide["ndcg@10"], 0.99),
    ]
    finish("serving-precision", asked.size, rows, held)


def _ndcg(bundle: Bundle, cases: Cases, at_most: int) -> float:
    """Of cases spread evenly over all, items of the history left out."""
    chosen = np.unique(np.linspace(0, len(cases) - 1, at_most).astype(np.int64))
    items, _ = bundle.top(cases.histories.take(chosen), 10)
    discounts, found = 1 / np.log2(np.arange(2, 12)), []
    for row, case in enumerate(chosen):
        targets = cases.targets[int(case)]
        gains = np.isin(items[row], targets)
        found.append((gains * discounts).sum() / discounts[: len(targets)].sum())
    return float(np.mean(found))


PARTS = {"scoring": scoring, "precision": precision}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--size", choices=ITEMS, default="small")
    parser.add_argument("--run", type=Path, help="a run's folder, for `precision`")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    PARTS[asked.part](asked)


if __name__ == "__main__":
    main()
