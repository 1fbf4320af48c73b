"""Serving, a part at a time.

    python benchmarks/serving.py scoring [--run RUN] [--size small|full]
    python benchmarks/serving.py precision --run RUN [--size small|full]

`scoring`: a state to its top 20, one thread: our scorers against numpy, PyTorch, ONNX Runtime and faiss, over random
vectors of width 64 and, with a run, over vectors like its student's (larger catalogues grow between neighbours), there
with an index and faiss's graph. Bursts of ten requests alternate between all, so that whatever else the machine does
falls on all alike; ratios are medians of pairs. Lists of ours are compared with all scores in doubles, sorted.

`precision`: a run's first student as a bundle in each precision: how large its files are, and NDCG@10 on validation.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from common import Claim, finish
from serving_scoring import ITEMS, claims, rows_of

from recdistill.bundle.bundle import Bundle
from recdistill.bundle.export import export
from recdistill.bundle.manifest import MODEL, TABLE, Precision
from recdistill.data.cases import Cases
from recdistill.data.dataset import Dataset
from recdistill.models.recommender import Recommender

CASES = {"small": 2_000, "full": 1_000_000}


def scoring(asked: argparse.Namespace) -> None:
    rows = rows_of(asked.size, asked.run)
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
    parser.add_argument("--run", type=Path, help="a run's folder")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    PARTS[asked.part](asked)


if __name__ == "__main__":
    main()
