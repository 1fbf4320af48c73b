"""Every technique on one dataset, with one teacher, one student and one undistilled twin: the leaderboard.

    python benchmarks/techniques.py [--size small|full] [--trials N] [--runs FOLDER] [--threads N] [NAME …]

`small` is MovieLens 100K by global time; `full` is Amazon Beauty, each user's last two events held out (for
validation and test), with `recipes/techniques/beauty/base.yaml` in place of the base. With `--trials`, each is tuned
first, and so is the undistilled student, with so many trials of a quarter of the epochs. NAMEs are techniques of
`recipes/techniques/` (those of a folder beside the base, such as `beauty/`, come first); all when none is given. With
`full`, `docs/leaderboard.md` is written anew. Interrupted, the next call goes on; a technique that is added costs its
own students only.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from common import ROOT, Claim, finish

from recdistill.config.tree import load_config
from recdistill.distill.recipe import Recipe
from recdistill.distill.tuning import Budget
from recdistill.files import write_text
from recdistill.pipeline.contest import Contest
from recdistill.pipeline.pipeline import Pipeline, circumstances
from recdistill.pipeline.run_folder import RunFolder

TECHNIQUES = ROOT / "recipes" / "techniques"
HOMES = {"small": (TECHNIQUES,), "full": (TECHNIQUES / "beauty", TECHNIQUES)}
PAGE = ROOT / "docs" / "leaderboard.md"
UPLIFT, GAP, OF_BEST = 0.06, 0.70, 0.90
"""What the best technique should add, close of the gap to the teacher, and what `auto` should reach of it."""


def techniques(homes: Iterable[Path], names: Iterable[str]) -> dict[str, Recipe]:
    """The recipes of these names, or all; of two files of one name that of the first home.

    Raises:
        SystemExit: a name stands for no file.
    """
    found: dict[str, Path] = {}
    for home in homes:
        for path in sorted(home.glob("*.yaml")):
            found.setdefault(path.stem, path)
    found.pop("base")
    if unknown := set(names) - set(found):
        raise SystemExit(f"No technique is called {', '.join(sorted(unknown))}.")
    return {name: load_config(found[name], []).recipe for name in (*names,) or found}


def contest(
    size: str, names: Iterable[str], runs: Path, threads: int | None, trials: int | None = None
) -> Contest:
    """The contest of `names` on the data of `size`, tuned with so many `trials` each."""
    homes = HOMES[size]
    config = load_config(homes[0] / "base.yaml", [])
    run = circumstances(None, threads, quiet=False)
    pipeline = Pipeline(config, RunFolder(runs / f"techniques-{size}"), run)
    budget = Budget(trials=trials) if trials else None
    return Contest(pipeline, techniques(homes, names), budget)


def rows(board: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Teacher and twin, then every technique, best first."""
    metric = board["metric"]
    for role, found in board["references"].items():
        yield {"technique": role, metric: found["values"][metric]}
    for entry in board["ranking"]:
        tail = entry["tail"] or {}
        yield {
            "technique": entry["name"],
            metric: entry["values"][metric],
            "uplift": entry["uplift"]["relative"],
            "low": entry["uplift"]["relative_low"],
            "high": entry["uplift"]["relative_high"],
            "gap closed": entry["gap_closed"],
            "p (Holm)": entry["p_holm"],
            "result": entry["result"],
            "tail": tail.get("mean"),
            "training cost": entry["training"]["relative"],
        }


def claims(board: Mapping[str, Any], size: str) -> Iterable[Claim]:
    """What the best technique and `auto` reach."""
    best, ranking = board["ranking"][0], {one["name"]: one for one in board["ranking"]}
    where = f"{board['metric']} on {board['dataset']['name']}, {board['seeds']} seeds"
    if size == "full":
        uplift = best["uplift"]["relative"]
        yield Claim(f"relative uplift of the best ({best['name']}), {where}", uplift, UPLIFT)
        if best["gap_closed"] is not None:
            yield Claim(f"gap closed by the best, {where}", best["gap_closed"], GAP)
    low = best["uplift"]["relative_low"]
    yield Claim(f"lower end of the best's relative uplift (95 %), {where}", low, 0.0)
    if best["tail"]:
        yield Claim(f"difference of the best in the tail, {where}", best["tail"]["mean"], 0.0)
    if "auto" in ranking:
        share = ranking["auto"]["uplift"]["mean"] / best["uplift"]["mean"]
        yield Claim(f"`auto`'s share of the best's uplift, {where}", share, OF_BEST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=HOMES, default="small")
    parser.add_argument("--trials", type=int, default=None)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args()
    found = contest(given.size, given.names, given.runs, given.threads, given.trials)
    with found.pipeline.folder.locked():
        board = found.judge()
    if given.size == "full":
        write_text(PAGE, found.page.with_suffix(".md").read_text())
    finish("techniques", given.size, list(rows(board)), list(claims(board, given.size)))


if __name__ == "__main__":
    main()
