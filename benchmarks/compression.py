"""What smaller students lose: distil, prune, distil again against pruning alone, and tables in few bits.

    python benchmarks/compression.py [--size small|full] [--runs FOLDER] [--threads N] [--seeds N]

`small` is MovieLens 100K (global temporal split), `full` Amazon Beauty (leave-one-out, as the literature has it), by
`recipes/smaller/`: `recdistill compress`, and what it does not do: the test is opened for every form, and `cut` is the
student pruned by magnitude and left so. Every number is of bundles but those of `cut`, a mean over seeds; intervals
are paired over users and seeds. Interrupted, the next call goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common import ROOT, Claim, finish

from recdistill.bundle.judged import Judged
from recdistill.compression.cutting import cut
from recdistill.compression.importance import magnitude
from recdistill.compression.plans import plan
from recdistill.compression.settings import Structure
from recdistill.compression.sizing import target
from recdistill.config.compressing import WHOLE
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.lessening.losses import loss
from recdistill.evaluation.metrics import parse
from recdistill.evaluation.protocol import evaluate
from recdistill.models.recommender import Recommender
from recdistill.models.sasrec import SASRec
from recdistill.pipeline.pipeline import Pipeline, open_pipeline
from recdistill.pipeline.smaller import REFERENCE, Smaller

RECIPES = {"small": "quickstart", "full": "amazon-beauty"}
FORMS = "compression.forms=[float32, int8]"
METRIC = parse("ndcg@10")
CUT = "cut-float32"
KEPT, ROUNDED, SMALLER = 0.98, 0.99, 3.5
"""What half the parameters, and 8 bits, should keep of NDCG@10; how many times smaller 8 bits should be."""


def without_training(student: Recommender) -> Recommender:
    """Half of the student by magnitude, which needs nothing but the student, and left so."""
    assert isinstance(student, SASRec)
    wanted = target(student.config, student.vocabulary, Structure(parameters=0.5))
    return cut(student, plan(magnitude(student), wanted.shape))


def tested(pipeline: Pipeline) -> Evaluation:
    """Every form, and `cut`, on the test."""
    smaller = Smaller(pipeline)
    models: dict[str, list[Recommender]] = {
        one.name: [Judged(bundle) for bundle in smaller.bundles(one)] for one in smaller.all
    }
    models[CUT] = [without_training(one.model) for one in smaller.students(WHOLE)]
    config = pipeline.config.evaluation.model_copy(update={"latency_requests": 0})
    return evaluate(models, pipeline.dataset, config=config, progress=pipeline.run.progress)


def rows(content: Mapping[str, Any], test: Evaluation) -> Iterator[dict[str, Any]]:
    """A row a form: quality on validation and test, what is lost, size and time."""
    for name in test.rankings:
        known = content["forms"].get(name, {})
        lost = loss(test, name, REFERENCE.name, METRIC)
        yield {
            "form": name,
            "validation NDCG@10": known["quality"]["mean"] if known else None,
            "test NDCG@10": test.value(name, METRIC),
            "change": 0.0 - lost.mean,
            "low": 0.0 - lost.high,
            "high": 0.0 - lost.low,
            "parameters": known.get("parameters"),
            "bytes": known.get("bytes"),
            "bundle bytes": known.get("bundle_bytes"),
            "p50 ms": 1e3 * known["latency_p50"] if known else None,
            "mark": known.get("mark"),
            "seeds": len(test.rankings[name]),
        }


def claims(found: Sequence[Mapping[str, Any]], test: Evaluation, size: str) -> Iterator[Claim]:
    """What is said of them."""
    by_name = {row["form"]: row for row in found}
    value = {name: row["test NDCG@10"] for name, row in by_name.items()}
    whole, half = REFERENCE.name, "half-float32"
    share = by_name[half]["parameters"] / by_name[whole]["parameters"]
    yield Claim(f"parameters that `half` keeps, {size}", share, 0.5, "at most")
    yield Claim(f"NDCG@10 that half the parameters keep, {size}", value[half] / value[whole], KEPT)
    for control in ("half-alone-float32", CUT):
        ahead = loss(test, half, control, METRIC)
        yield Claim(f"relative gain over `{control}`, {size}", -ahead.mean, 0.0)
        yield Claim(f"the same, lower end of its 95 % interval, {size}", -ahead.high, 0.0)
    for what, key in (
        ("model and table", "bytes"),
        ("the whole bundle, texts too", "bundle bytes"),
    ):
        smaller = by_name[whole][key] / by_name["whole-int8"][key]
        yield Claim(f"times that 8 bits are smaller, {what}, {size}", smaller, SMALLER)
    for student in ("whole", "half", "rounded"):
        kept = value[f"{student}-int8"] / value[f"{student}-float32"]
        yield Claim(f"NDCG@10 that `{student}` keeps in 8 bits, {size}", kept, ROUNDED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=RECIPES, default="small")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    recipe = ROOT / "recipes" / "smaller" / f"{RECIPES[given.size]}.yaml"
    into = given.runs / f"compression-{given.size}"
    asked = [FORMS, f"compression.seeds={given.seeds}"]
    pipeline = open_pipeline(recipe, into, asked, threads=given.threads)
    with pipeline.folder.locked():
        content = pipeline.compress()
        test = tested(pipeline)
    found = list(rows(content, test))
    name = "compression" if given.size == "small" else f"compression-{given.size}"
    finish(name, given.size, found, list(claims(found, test, given.size)))


if __name__ == "__main__":
    main()
