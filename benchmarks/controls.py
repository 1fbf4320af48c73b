"""Does the best technique stand? A smaller student, a teacher that reads the wrong texts, other data, another start.

    python benchmarks/controls.py [--runs FOLDER] [--threads N] [width|text|elsewhere|auto …]

    width      a student of a quarter of the teacher's width
    text       the teacher's texts permuted, and no text at all: what of the gain is the text's
    elsewhere  the recipe untouched on other data
    auto       `recipe: auto`, begun at weights three decades apart

All parts when none is named. Real data and full sizes only: hours on a processor. Interrupted, the next call goes on;
what `benchmarks/techniques.py --size full` left in the same `--runs` is used again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import ROOT, Claim, finish

from recdistill.config.tree import load_config
from recdistill.pipeline.contest import Contest
from recdistill.pipeline.pipeline import Pipeline, circumstances, open_pipeline
from recdistill.pipeline.run_folder import RunFolder

TECHNIQUES = ROOT / "recipes" / "techniques"
METRIC = "ndcg@10"
WEIGHTS = (1 / 27, 1 / 3, 3.0, 81.0)
"""Where `auto` begins: 3.3 decades, in the factors by which it moves."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Bench:
    """Where runs lie, and how they are made."""

    runs: Path
    threads: int | None

    def metrics(self, recipe: str) -> dict[str, Any]:
        """The `metrics.json` of a run of one of `recipes/techniques/`."""
        path, folder = TECHNIQUES / f"{recipe}.yaml", self.runs / recipe.replace("/", "-")
        pipeline = open_pipeline(path, folder, [], threads=self.threads)
        with pipeline.folder.locked():
            return pipeline.evaluate()

    def row(self, recipe: str) -> Row:
        """Teacher, student and twin of a run."""
        metrics = self.metrics(recipe)
        models, uplift = metrics["models"], metrics["uplift"][METRIC]
        return {
            "run": recipe,
            "teacher": models["teacher"][METRIC],
            "student": models["student"][METRIC],
            "undistilled": models["student_without_distillation"][METRIC],
            "uplift": uplift["relative"],
            "low": uplift["relative_low"],
            "high": uplift["relative_high"],
            "gap closed": metrics["gap_closed"][METRIC],
            "seeds": metrics["seeds"],
            "test users": metrics["dataset"]["test_users"],
        }


def width(bench: Bench) -> Iterator[Row | Claim]:
    """A quarter of the teacher's width."""
    row = bench.row("controls/quarter-width")
    yield row
    yield Claim(
        "gap closed at a quarter of the teacher's width, amazon-beauty", row["gap closed"], 0.5
    )


def text(bench: Bench) -> Iterator[Row | Claim]:
    """How much of what the text adds goes when items have each other's texts, in teacher and student."""
    names = ("beauty/inherited-soft-labels", "controls/permuted-text", "controls/without-text")
    right, permuted, without = (bench.row(name) for name in names)
    yield from (right, permuted, without)
    for who in ("teacher", "student"):
        gain = right[who] - without[who]
        what = f"share of the text's gain in the {who} that permuted texts lose, amazon-beauty"
        yield Claim(what, (right[who] - permuted[who]) / gain, 0.8)


def elsewhere(bench: Bench) -> Iterator[Row | Claim]:
    """The same recipe on other data."""
    for recipe in ("elsewhere/latest-small", "elsewhere/goodreads"):
        row = bench.row(recipe)
        yield row
        yield Claim(f"relative uplift of the untouched recipe, {recipe}", row["uplift"], -0.005)


def auto(bench: Bench) -> Iterator[Row | Claim]:
    """Where the search ends, by where it begins."""
    config = load_config(TECHNIQUES / "beauty" / "auto.yaml", [])
    asked, found = config.recipe.auto, config.recipe
    assert asked is not None
    begun = {
        f"auto-from-{weight:.3g}": found.model_copy(
            update={"auto": asked.model_copy(update={"weight": weight})}
        )
        for weight in WEIGHTS
    }
    shared = config.model_copy(update={"recipe": found.untaught()})
    run = circumstances(None, bench.threads, quiet=False)
    pipeline = Pipeline(shared, RunFolder(bench.runs / "techniques-full"), run)
    with pipeline.folder.locked():
        board = Contest(pipeline, begun).judge()
    reached = {entry["name"]: entry["values"][METRIC] for entry in board["ranking"]}
    for name, value in reached.items():
        yield {"run": name, "student": value, "seeds": board["seeds"]}
    spread = (max(reached.values()) - min(reached.values())) / max(reached.values())
    what = f"spread of auto begun at weights {WEIGHTS[0]:.3g} … {WEIGHTS[-1]:g}, amazon-beauty"
    yield Claim(what, spread, 0.05, "at most")


PARTS: Mapping[str, Callable[[Bench], Iterator[Row | Claim]]] = {
    "width": width,
    "text": text,
    "elsewhere": elsewhere,
    "auto": auto,
}


def apart(found: Iterable[Row | Claim]) -> tuple[list[Row], list[Claim]]:
    """Rows and claims."""
    several = list(found)
    claims = [one for one in several if isinstance(one, Claim)]
    return [one for one in several if not isinstance(one, Claim)], claims


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    given = parser.parse_args()
    bench = Bench(given.runs, given.threads)
    rows, claims = apart(one for part in given.parts or PARTS for one in PARTS[part](bench))
    finish("controls", "full", rows, claims)


if __name__ == "__main__":
    main()
