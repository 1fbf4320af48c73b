"""What a smaller student loses: distil, prune, distil again against pruning alone, and tables in few bits.

    python benchmarks/compression.py [--size small|full] [--runs FOLDER] [--threads N]

`small` is MovieLens 100K with `recipes/compression/`, `full` Amazon Beauty with `recipes/compression/beauty/`. Every
variant is made of the same data, teacher and signals with the same seeds, and judged on the same test. `cut`
is the whole student pruned by magnitude and not trained again; `+ int8` and `+ int4` are tables rounded after
training. Interrupted, the next call goes on.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from common import ROOT, Claim, finish

from recdistill.compression.cutting import cut
from recdistill.compression.importance import magnitude
from recdistill.compression.pareto import Variant, front, knee
from recdistill.compression.plans import plan
from recdistill.compression.quantising import quantised
from recdistill.compression.settings import Structure
from recdistill.compression.sizing import target
from recdistill.config.tree import load_config
from recdistill.evaluation.protocol import evaluate
from recdistill.models.recommender import Recommender
from recdistill.models.sasrec import SASRec
from recdistill.pipeline.contest import Contest
from recdistill.pipeline.pipeline import Pipeline, circumstances
from recdistill.pipeline.run_folder import RunFolder

HOMES = {
    "small": ROOT / "recipes" / "compression",
    "full": ROOT / "recipes" / "compression" / "beauty",
}
METRIC = "ndcg@10"
KEPT, ROUNDED = 0.98, 0.99
"""What half the parameters, and a table in 8 bits, should keep of the NDCG@10 of what they were made of."""

Models = Mapping[str, Sequence[Recommender]]


def contest(size: str, runs: Path, threads: int | None) -> Contest:
    """Every recipe of the folder but its base, whose students are the undistilled twins."""
    home = HOMES[size]
    found = sorted(path for path in home.glob("*.yaml") if path.stem != "base")
    config = load_config(home / "base.yaml", [])
    run = circumstances(None, threads, quiet=False)
    pipeline = Pipeline(config, RunFolder(runs / f"compression-{size}"), run)
    return Contest(pipeline, {path.stem: load_config(path, []).recipe for path in found})


@torch.no_grad()
def stored(student: Recommender, bits: int) -> Recommender:
    """The student as it answers from a table of `bits` bits."""
    made = copy.deepcopy(student)
    vectors = made.network.get_parameter("items.vectors")
    vectors.copy_(quantised(vectors, bits).table)
    return made


def without_training(student: Recommender, wanted: Structure) -> Recommender:
    """The student pruned by magnitude, which needs nothing but the student, and left so."""
    assert isinstance(student, SASRec)
    shape = target(student.config, student.vocabulary, wanted).shape
    return cut(student, plan(magnitude(student), shape))


def variants(trained: Models) -> dict[str, tuple[Sequence[Recommender], int]]:
    """Every way to have a student, with the bits of a number in its table."""
    found: dict[str, tuple[Sequence[Recommender], int]] = {
        name: (models, 32) for name, models in trained.items()
    }
    half = Structure(parameters=0.5)
    found["cut"] = ([without_training(one, half) for one in trained["whole"]], 32)
    for name, bits in (("whole", 8), ("whole", 4), ("half", 8), ("int8", 8), ("half-int4", 4)):
        if name in trained:
            made = [stored(one, bits) for one in trained[name]]
            found[f"{name} + int{bits}"] = (made, bits)
    return found


def size_of(student: Recommender, bits: int) -> int:
    """Bytes to store it: the table in `bits` bits with a scale an item, all else in single precision."""
    numbers = sum(value.numel() for value in student.network.state_dict().values())
    items, width = student.item_table().shape
    scales = 0 if bits == 32 else 4 * items
    return 4 * (numbers - items * width) + items * width * bits // 8 + scales


def measured(contest: Contest) -> Iterator[dict[str, Any]]:
    """A row a variant: quality, size, work and time."""
    pipeline = contest.pipeline
    trained = {name: [one.model for one in seeds] for name, seeds in contest.students.items()}
    ways = variants(trained)
    config, dataset = pipeline.config.evaluation, pipeline.dataset
    models = {name: found for name, (found, _) in ways.items()}
    evaluation = evaluate(models, dataset, config=config, progress=pipeline.run.progress)
    metric = next(one for one in evaluation.metrics if str(one) == METRIC)
    for name, (found, bits) in ways.items():
        cost = evaluation.costs[name]
        yield {
            "variant": name,
            METRIC: evaluation.value(name, metric),
            "parameters": cost.parameters,
            "bytes": size_of(found[0], bits),
            "flops": cost.flops,
            "encode p50 ms": 1e3 * cost.latency_p50 if cost.latency_p50 else None,
            "seeds": len(found),
        }


def marked(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with whether they are on the front, and which is its knee; time is that of encoding."""
    points = [
        Variant(row["variant"], row[METRIC], row["bytes"], row["encode p50 ms"] or 1.0)
        for row in rows
    ]
    found = front(points)
    best = knee(found)
    marks = {one.name: "knee" if one is best else "front" for one in found}
    return [{**row, "worth having": marks.get(row["variant"], "")} for row in rows]


def claims(rows: Iterable[Mapping[str, Any]], size: str) -> Iterator[Claim]:
    """What is said of them."""
    found = {row["variant"]: row for row in rows}
    value = {name: row[METRIC] for name, row in found.items()}
    share = found["half"]["parameters"] / found["whole"]["parameters"]
    yield Claim(f"parameters that `half` keeps, {size}", share, 0.5, "at most")
    kept = value["half"] / value["whole"]
    yield Claim(f"NDCG@10 that half the parameters keep, {size}", kept, KEPT)
    for control in ("half-without-teacher", "cut"):
        ahead = value["half"] / value[control] - 1
        yield Claim(f"relative gain over `{control}`, {size}", ahead, 0.0)
    for name in ("whole", "half", "int8"):
        kept = value[f"{name} + int8"] / value[name]
        yield Claim(f"NDCG@10 that `{name}` keeps with a table in 8 bits, {size}", kept, ROUNDED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=HOMES, default="small")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--threads", type=int, default=None)
    given = parser.parse_args()
    competing = contest(given.size, given.runs, given.threads)
    with competing.pipeline.folder.locked():
        rows = marked(list(measured(competing)))
    finish("compression", given.size, rows, list(claims(rows, given.size)))


if __name__ == "__main__":
    main()
