"""A state to its top 20, one thread: our scorers and others (`serving.py scoring`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from common import Claim

from recdistill.bundle.indexing import indexed
from recdistill.bundle.onnx_writer import model
from recdistill.bundle.scoring.exact import exact
from recdistill.bundle.scoring.int8_scan import int8_scan
from recdistill.bundle.scoring.quick import QuickScorer
from recdistill.bundle.session import session
from recdistill.bundle.table import Table
from recdistill.data.dataset import Dataset
from recdistill.models.recommender import Recommender

WIDTH, K = 64, 20
ITEMS = {"small": (12_101, 100_000), "full": (12_101, 100_000, 1_000_000)}
SCANNED = 30_000_000
"""Items looked at by each side: fewer requests where there are more items."""
CHECKED = 40
"""Lists of a side that are compared with a sort in doubles; of recall, 800 items."""
BURST = 10
"""Requests to one side in a row: as when it serves, the first finds its table cold and the rest do not."""
GRAPH_UNTIL = 100_000
"""A graph of more takes minutes to build."""
EXACT_MS = {100_000: 0.65, 1_000_000: 8.0}
INDEX_MS, INDEX_RECALL = 2.0, 0.98
INDEX, SCAN = "index (ours)", "int8-scan (ours)"
Answer = Callable[[np.ndarray], Any]


class Vectors(NamedTuple):
    """A catalogue and states to ask about."""

    table: np.ndarray
    states: np.ndarray


def drawn(items: int) -> Vectors:
    """Vectors without any order."""
    random = np.random.default_rng(0)
    table = random.normal(size=(items, WIDTH)).astype(np.float32)
    return Vectors(table, random.normal(size=(3_000, WIDTH)).astype(np.float32))


@torch.no_grad()
def trained(run: Path) -> Vectors:
    """A run's first student: its table, and its states of validation histories."""
    homes = [*run.glob("student/seed-*"), *run.glob("students/*/seed-*")]
    student = Recommender.load(sorted(homes)[0] / "model")
    histories = Dataset.open(run / "dataset").valid.histories.take(slice(0, 3_000))
    return Vectors(student.item_table().float().numpy(), student.states(histories).float().numpy())


def grown(known: Vectors, items: int) -> Vectors:
    """A larger catalogue like a trained one: each new item between an item and one of its ten nearest, a little off."""
    random, table = np.random.default_rng(0), known.table
    products = table @ table.T
    squares = np.diag(products)
    distances = squares[:, None] + squares[None] - 2 * products
    np.fill_diagonal(distances, np.inf)
    near = np.argpartition(distances, 10, axis=1)[:, :10]
    one = random.integers(len(table), size=items)
    other = near[one, random.integers(10, size=items)]
    way = random.random((items, 1), dtype=np.float32)
    off = 0.3 * np.sqrt(np.median(distances.min(axis=1)) / table.shape[1])
    noise = off * random.normal(size=(items, table.shape[1]))
    return Vectors(
        (table[one] + way * (table[other] - table[one]) + noise).astype(np.float32), known.states
    )


def exact_sides(table: np.ndarray) -> dict[str, Answer]:
    """Every way to look at all items."""
    import faiss

    scan, plain, tensor = (
        int8_scan(table.__getitem__, len(table)),
        exact(table),
        torch.from_numpy(table),
    )
    product = session(
        model(
            "MatMul",
            inputs={"states": (np.float32, ("rows", table.shape[1]))},
            constants={"table": np.ascontiguousarray(table.T)},
            output=("scores", np.float32, ("rows", len(table))),
        )
    )
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatIP(table.shape[1])
    flat.add(table)
    return {
        SCAN: lambda state: scan.top(state, K),
        "exact (ours)": lambda state: plain.top(state, K),
        "numpy": lambda state: _best(table @ state[0]),
        "PyTorch": lambda state: torch.topk(tensor @ torch.from_numpy(state[0]), K),
        "ONNX Runtime": lambda state: _best(product.run(None, {"states": state})[0][0]),
        "faiss flat": lambda state: flat.search(state, K),
    }


def with_index(vectors: Vectors) -> dict[str, Answer]:
    """Our index, as export would choose it whatever the clock says, and faiss's graph of the same items."""
    import faiss

    table = Table.of(vectors.table, "float32")
    found = indexed(table, vectors.states[:500])
    sides: dict[str, Answer] = {}
    if len(table) <= GRAPH_UNTIL:
        graph = faiss.IndexHNSWFlat(table.width, 32, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efSearch = 256
        graph.add(vectors.table)
        sides["faiss HNSW"] = lambda state: graph.search(state, K)[::-1]
    if found is None:
        return sides
    scorer = QuickScorer(found.codes, found.entry.depth, table.rows, exact(vectors.table))
    return {INDEX: lambda state: scorer.top(state, K), **sides}


def _best(scores: np.ndarray) -> np.ndarray:
    best = np.argpartition(scores, -K)[-K:]
    return best[np.argsort(-scores[best])]


def measured(
    kind: str, vectors: Vectors, sides: dict[str, Answer], listed: Iterable[str]
) -> list[dict[str, Any]]:
    """A row a side; of `listed`, what share of the lists and of their items a sort in doubles gives."""
    requests = int(np.clip(SCANNED // len(vectors.table), 40, len(vectors.states)))
    taken = {name: np.empty((requests, 2)) for name in sides}
    for first in range(0, requests, BURST):
        some = range(first, min(first + BURST, requests))
        for name, answer in sides.items():
            for row in some:
                began, busy = time.perf_counter(), time.thread_time()
                answer(vectors.states[row : row + 1])
                taken[name][row] = time.perf_counter() - began, time.thread_time() - busy
    scan = taken[SCAN][:, 0]
    # After the clock has stopped: sorting in doubles would take the tables out of the caches.
    right = {
        name: [
            _shared(sides[name](vectors.states[row : row + 1]), vectors, row)
            for row in range(CHECKED)
        ]
        for name in listed
        if name in sides
    }
    return [
        {
            "vectors": kind,
            "items": len(vectors.table),
            "side": name,
            "p50_ms": 1e3 * float(np.median(spent[:, 0])),
            "p10_ms": 1e3 * float(np.percentile(spent[:, 0], 10)),
            "p99_ms": 1e3 * float(np.percentile(spent[:, 0], 99)),
            "busy_p50_ms": 1e3 * float(np.median(spent[:, 1])),
            "times_the_scan": float(np.median(spent[:, 0] / scan)),
            "requests": requests,
            "exact": float(np.mean([same for same, _ in right[name]])) if name in right else None,
            "recall": float(np.mean([share for _, share in right[name]]))
            if name in right
            else None,
        }
        for name, spent in taken.items()
    ]


def _shared(answer: Any, vectors: Vectors, row: int) -> tuple[bool, float]:
    """Whether a list is that of a sort in doubles, and what share of its items."""
    given = answer[0][0]
    scores = vectors.table.astype(np.float64) @ vectors.states[row].astype(np.float64)
    wanted = np.argsort(-scores.astype(np.float32), kind="stable")[:K]
    return given.tolist() == wanted.tolist(), len(set(given) & set(wanted)) / K


def rows_of(size: str, run: Path | None) -> list[dict[str, Any]]:
    """All sizes over drawn vectors and, with a run, over vectors like its student's."""
    found: list[dict[str, Any]] = []
    for items in ITEMS[size]:
        vectors = drawn(items)
        found += measured("drawn", vectors, exact_sides(vectors.table), (SCAN, "exact (ours)"))
    if run is None:
        return found
    known = trained(run)
    for items in ITEMS[size]:
        vectors = known if items == len(known.table) else grown(known, items)
        sides = {**exact_sides(vectors.table), **with_index(vectors)}
        found += measured("like a student's", vectors, sides, (SCAN, INDEX, "faiss HNSW"))
    return found


def claims(rows: list[dict[str, Any]]) -> list[Claim]:
    """What is said of them. Times are the tenth percentile: what the machine does else is in the median."""
    found = [
        Claim(
            f"int8-scan over {row['items']:,} items, {row['vectors']}, p10 ms",
            row["p10_ms"],
            most,
            "at most",
        )
        for row in rows
        if row["side"] == SCAN and (most := EXACT_MS.get(row["items"]))
    ]
    for row in (row for row in rows if row["side"] == SCAN):
        peers = [
            other["times_the_scan"]
            for other in rows
            if (other["vectors"], other["items"]) == (row["vectors"], row["items"])
            and "ours" not in other["side"]
            and "HNSW" not in other["side"]
        ]
        told = f"best exact peer over {row['items']:,} items, {row['vectors']}, times the int8-scan"
        found.append(Claim(told, min(peers), 1.0))
    found.append(
        Claim(
            "lists of ours that are those of a float64 sort",
            min(row["exact"] for row in rows if row["side"] == SCAN),
            1.0,
        )
    )
    for row in (row for row in rows if row["side"] == INDEX and row["items"] in EXACT_MS):
        found.append(
            Claim(f"index over {row['items']:,} items, p10 ms", row["p10_ms"], INDEX_MS, "at most")
        )
        found.append(
            Claim(f"index over {row['items']:,} items, recall@20", row["recall"], INDEX_RECALL)
        )
    return found
