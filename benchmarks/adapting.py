"""Whether a fine-tuned text encoder is a better teacher than the one it was.

    python benchmarks/adapting.py [--size small|full] [--runs FOLDER] [--threads N]

The member `text-encoder` of `recipes/adapted-encoder.yaml` as it is and with `adapt` left out, on MovieLens 100K
(`small`) or on Amazon Beauty too (`full`): NDCG@10 on validation, over the whole catalogue, of the same head on
either's vectors, a few seeds each. Fine-tuning itself stops by the validation of its vectors alone; both heads stop by
this very figure. Interrupted, the next call goes on.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from common import ROOT, Claim, finish

from recdistill.config.tree import load_config
from recdistill.data.dataset import Dataset
from recdistill.data.preparation import load_dataset
from recdistill.files import read_json, write_json
from recdistill.models.validation import validation
from recdistill.teachers import TextEncoderConfig, TextEncoderTeacher
from recdistill.training.options import RunOptions

RECIPE = ROOT / "recipes" / "adapted-encoder.yaml"
DATASETS = {"small": ("quickstart",), "full": ("quickstart", "amazon-beauty")}
"""Recipes whose dataset is taken."""
SEEDS = 3


def encoder() -> TextEncoderConfig:
    """The text encoder of the recipe."""
    members = load_config(RECIPE, []).teacher.members
    return next(member for member in members if isinstance(member, TextEncoderConfig))


def quality(config: TextEncoderConfig, dataset: Dataset, run: RunOptions) -> dict[str, Any]:
    """NDCG@10 on validation, and what there is to know beside."""
    assert run.folder is not None
    record = run.folder / "quality.json"
    if record.is_file():
        return read_json(record)
    began = time.perf_counter()
    teacher = TextEncoderTeacher(config).fit(dataset, run)
    measure = validation(teacher.recommender, dataset)
    assert measure is not None
    found = {
        "ndcg@10": measure(),
        "seconds": time.perf_counter() - began,
        **teacher.notes.get("adaptation", {}),
    }
    write_json(record, found)
    return found


def compared(name: str, runs: Path, threads: int | None) -> list[dict[str, Any]]:
    """Rows of both, a seed each."""
    dataset = load_dataset(load_config(ROOT / "recipes" / f"{name}.yaml", []).dataset)
    arms = {"adapted": encoder(), "plain": encoder().model_copy(update={"adapt": None})}
    return [
        {
            "dataset": dataset.name,
            "encoder": arm,
            "seed": seed,
            **quality(
                config,
                dataset,
                RunOptions(seed=seed, threads=threads, folder=runs / name / f"{arm}-{seed}"),
            ),
        }
        for seed in range(SEEDS)
        for arm, config in arms.items()
    ]


def claim(rows: list[dict[str, Any]]) -> Claim:
    """The mean gain over the seeds, relative."""
    means = {
        arm: statistics.mean(row["ndcg@10"] for row in rows if row["encoder"] == arm)
        for arm in ("adapted", "plain")
    }
    what = (
        f"gain in ndcg@10 of a fine-tuned encoder's teacher on {rows[0]['dataset']}, {SEEDS} seeds"
    )
    return Claim(what, means["adapted"] / means["plain"] - 1, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=DATASETS, default="small")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "adapting")
    parser.add_argument("--threads", type=int, default=None)
    given = parser.parse_args()
    found = [compared(name, given.runs, given.threads) for name in DATASETS[given.size]]
    finish(
        "adapting",
        given.size,
        [row for rows in found for row in rows],
        [claim(rows) for rows in found],
    )


if __name__ == "__main__":
    main()
