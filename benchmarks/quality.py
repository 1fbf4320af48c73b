"""What the recipes reach: teacher, student, the same student without distillation, popularity.

    python benchmarks/quality.py [--size small|full] [--runs FOLDER] [--threads N]

`small` is the quickstart; `full` are the leave-one-out recipes that stand beside the literature (hours on a
processor; interrupted, the next call goes on). Each recipe runs into its own folder below `--runs`, and what
is finished there is not done again. The first claim is about the student *without* distillation: a gain over
a weak student is no gain.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from common import ROOT, Claim, finish

from recdistill.pipeline.pipeline import open_pipeline

RECIPES = {"small": ("quickstart",), "full": ("amazon-beauty", "movielens-1m")}
UNDISTILLED = {"amazon-beauty": 0.055, "movielens-1m": 0.17}
"""The NDCG@10 that the literature's credible range begins with (leave-one-out, full ranking)."""


def measured(recipe: str, runs: Path, threads: int | None) -> dict[str, Any]:
    """The `metrics.json` of a recipe, run as far as it is not yet."""
    path = ROOT / "recipes" / f"{recipe}.yaml"
    pipeline = open_pipeline(path, runs / recipe, [], threads=threads)
    with pipeline.folder.locked():
        return pipeline.evaluate()


def rows(recipe: str, metrics: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """One row a model."""
    metric = metrics["verdict"]["metric"]
    for role, values in metrics["models"].items():
        bounds = metrics["intervals"].get(role, {}).get(metric) or {}
        yield {
            "recipe": recipe,
            "model": role,
            metric: values[metric],
            "low": bounds.get("low"),
            "high": bounds.get("high"),
            "seeds": metrics["seeds"] if role.startswith("student") else 1,
            "test users": metrics["dataset"]["test_users"],
            "parameters": metrics["costs"].get(role, {}).get("parameters"),
        }


def claims(recipe: str, metrics: Mapping[str, Any]) -> Iterable[Claim]:
    """The undistilled student's level where the literature knows one, and what distillation added."""
    metric = metrics["verdict"]["metric"]
    seeds, uplift = metrics["seeds"], metrics["uplift"][metric]
    if recipe in UNDISTILLED:
        value = metrics["models"]["student_without_distillation"][metric]
        what = f"{metric} of the undistilled student on {recipe}, {seeds} seeds"
        yield Claim(what, value, UNDISTILLED[recipe])
    what = f"lower end of distillation's uplift in {metric} on {recipe}, {seeds} seeds (95 %)"
    yield Claim(what, uplift["low"], 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=RECIPES, default="small")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--threads", type=int, default=None)
    given = parser.parse_args()
    found = {name: measured(name, given.runs, given.threads) for name in RECIPES[given.size]}
    finish(
        "quality",
        given.size,
        [row for name, metrics in found.items() for row in rows(name, metrics)],
        [claim for name, metrics in found.items() for claim in claims(name, metrics)],
    )


if __name__ == "__main__":
    main()
