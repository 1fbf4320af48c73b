"""Quality against calls spent: how few contexts a teacher may be asked about, and which.

    python benchmarks/selecting.py [--size tiny|small|full] [--runs FOLDER] [--threads N] [--seeds N] [KIND …]

`tiny` is a log made on the spot (a minute; it shows that all works, nothing else, and is not kept); `small` and `full`
are MovieLens 100K by global time, with two budgets and with five. KINDs are selections (`random`, `hardest`, `active`,
and `mixed`, which shares its budget between effective, similar and incorrect contexts as 1 : 5 : 4); all when none is
given. Every student hears the same teacher by the same recipe; beside them stand the student that heard it about every
context, and the one that never heard of it. Interrupted, the next call goes on.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import ROOT, Claim, finish, table

from recdistill.config.located import LocatedYaml
from recdistill.config.tree import RunConfig, load_config, parse_config, to_yaml
from recdistill.evaluation.comparison import difference, uplift
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.leaderboard import deciding_metric
from recdistill.evaluation.protocol import evaluate
from recdistill.evaluation.roles import TEACHER, TWIN
from recdistill.pipeline.pipeline import Pipeline, circumstances
from recdistill.pipeline.run_folder import RunFolder
from recdistill.pipeline.students import Trained
from recdistill.teachers.selecting import Eligible

RECIPE = ROOT / "recipes" / "techniques" / "soft-labels.yaml"
MIXED = {"effective": 1, "similar": 5, "incorrect": 4}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "random": {"kind": "random"},
    "hardest": {"kind": "hardest"},
    "active": {"kind": "active"},
    "mixed": {"kind": "active", "mix": MIXED},
}
SHARES = {"tiny": (0.2,), "small": (0.03, 0.1), "full": (0.01, 0.03, 0.1, 0.3, 0.6)}
ALL = "all"
_SHARED = ("dataset", "teacher", "student-without-distillation")
"""Stages that do not depend on what was asked."""


def base(size: str, seeds: int, folder: Path) -> RunConfig:
    """The configuration that all share."""
    assignments = [f"evaluation.seeds={seeds}", "trackers=[]"]
    if size != "tiny":
        return load_config(RECIPE, assignments)
    source = made_up(folder / "source")
    layers = {"width": 8, "blocks": 1, "history": 10}
    training = {"epochs": 4, "batch_size": 32}
    config = {
        "dataset": {"source": str(source), "name": "made up"},
        "teacher": {"kind": "recommender", "model": {"kind": "sasrec", **layers, "width": 16}, "training": training},
        "signals": [{"kind": "top-k", "k": 20}],
        "student": {"kind": "sasrec", **layers},
        "recipe": {"objectives": [{"kind": "next-item"}, {"kind": "kl", "temperature": 2.0}]},
        "training": training,
        "evaluation": {"resamples": 1000, "latency_requests": 0},
    }  # fmt: skip
    return parse_config(LocatedYaml(config, "the tiny size").override(assignments))


def made_up(folder: Path) -> Path:
    """A log in which film `i + 3` tends to follow film `i`."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    users, items, each = 90, 40, 25
    rows = np.empty((users, each), dtype=np.int64)
    rows[:, 0] = random.integers(items, size=users)
    for step in range(1, each):
        lots = random.integers(items, size=users)
        rows[:, step] = np.where(random.random(users) < 0.6, (rows[:, step - 1] + 3) % items, lots)
    who, turn = np.repeat(np.arange(users), each), np.tile(np.arange(each), users)
    log = {
        "user_id": who,
        "item_id": rows.ravel(),
        "timestamp": 1_600_000_000 + 60 * (turn * users + who),
    }
    pl.DataFrame(log).write_parquet(folder / "log.parquet")
    films = {"item_id": np.arange(items), "title": [f"Film {item}" for item in range(items)]}
    pl.DataFrame(films).write_parquet(folder / "items.parquet")
    return folder


def pipeline(config: RunConfig, folder: Path, threads: int | None) -> Pipeline:
    """A run of its own."""
    return Pipeline(config, RunFolder(folder), circumstances(None, threads, quiet=False))


def share(first: Path, folder: Path) -> None:
    """Take over what another run made and this one would make again."""
    seals = folder / ".stages"
    if seals.exists():
        return
    seals.mkdir(parents=True)
    for name in _SHARED:
        if (first / name).exists():
            shutil.copytree(first / name, folder / name)
        for seal in (first / ".stages").glob(f"{name}*.json"):
            shutil.copy(seal, seals / seal.name)


def budgets(first: Pipeline, size: str) -> list[int]:
    """Contexts of each share."""
    count = len(Eligible.of(first.dataset))
    return [max(1, round(share * count)) for share in SHARES[size]]


def cells(
    config: RunConfig, kinds: Iterable[str], counts: Sequence[int]
) -> Iterator[tuple[str, RunConfig]]:
    """A name and a configuration for each selection and budget."""
    for kind in kinds:
        for count in counts:
            select = {"select": {**KINDS[kind], "contexts": count}}
            written = {**LocatedYaml.parse(to_yaml(config), "the benchmark").data, **select}
            yield f"{kind}-{count}", RunConfig.model_validate(written)


def students(one: Pipeline) -> Sequence[Trained]:
    """The students of every seed; alone in their folder."""
    with one.folder.locked():
        return one.students.student


def measured(
    size: str, kinds: Sequence[str], runs: Path, threads: int | None, seeds: int
) -> tuple[Evaluation, dict[str, Any]]:
    """The test, once, for all; and what each choice found out."""
    home = runs / f"selecting-{size}"
    config = base(size, seeds, home)
    first = pipeline(config, home / ALL, threads)
    models: dict[str, Any] = {ALL: [one.model for one in students(first)]}
    models[TWIN] = [one.model for one in first.students.twin]
    models[TEACHER] = first.teacher.recommender
    facts: dict[str, Any] = {
        ALL: {"contexts": len(Eligible.of(first.dataset))},
        TWIN: {"contexts": 0},
    }
    for name, cell in cells(config, kinds, budgets(first, size)):
        share(home / ALL, home / name)
        one = pipeline(cell, home / name, threads)
        models[name] = [trained.model for trained in students(one)]
        facts[name] = one.selection.facts if one.selection else {}
    return evaluate(models, first.dataset, config=config.evaluation), facts


def rows(found: Evaluation, facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The twin, everybody by budget, and the student that heard all."""
    metric = deciding_metric(found.config)
    for name in (TEACHER, TWIN, ALL, *(one for one in facts if one not in (ALL, TWIN))):
        gained = uplift(found, metric, name) or {}
        expected = facts.get(name, {}).get("expected_of_chosen", {})
        yield {
            "student": name,
            "contexts": facts.get(name, {}).get("contexts"),
            str(metric): found.value(name, metric),
            "uplift": gained.get("relative"),
            "low": gained.get("relative_low"),
            "high": gained.get("relative_high"),
            "P(effective)": expected.get("effective"),
            "P(incorrect)": expected.get("incorrect"),
        }


def claims(found: Evaluation, facts: Mapping[str, Any]) -> Iterator[Claim]:
    """What a cleverer choice is worth beside lots, budget by budget."""
    metric = deciding_metric(found.config)
    where = f"{metric} on {found.dataset['name']}, {len(found.rankings[TWIN])} seeds"
    for name in facts:
        kind, _, count = name.rpartition("-")
        lots = f"random-{count}"
        if kind in ("hardest", "active", "mixed") and lots in facts:
            gap = difference(found, name, lots, metric)
            yield Claim(f"{kind} minus random at {count} contexts, {where}", gap.mean, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SHARES, default="small")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("kinds", nargs="*", metavar="KIND")
    given = parser.parse_args()
    if unknown := set(given.kinds) - set(KINDS):
        raise SystemExit(f"No selection is called {', '.join(sorted(unknown))}.")
    kinds = given.kinds or list(KINDS)
    found, facts = measured(given.size, kinds, given.runs, given.threads, given.seeds)
    told = list(rows(found, facts))
    if given.size == "tiny":
        print(table(told))
    else:
        finish("selecting", given.size, told, list(claims(found, facts)))


if __name__ == "__main__":
    main()
