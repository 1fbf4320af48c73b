"""Smaller students judged on validation as they would leave, and refused where they lose too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from recdistill.bundle.bundle import Bundle
from recdistill.bundle.judged import Judged
from recdistill.bundle.manifest import MODEL, TABLE
from recdistill.bundle.timing import latencies
from recdistill.config.compressing import WHOLE
from recdistill.data.cases import Cases, sample
from recdistill.errors import BundleError, DataError
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.lessening.contract import Footprint
from recdistill.evaluation.lessening.document import chosen, deciding, lessening, with_test
from recdistill.evaluation.lessening.losses import loss
from recdistill.evaluation.options import EvaluationConfig
from recdistill.evaluation.protocol import evaluate, examine
from recdistill.evaluation.report.lessening import save_lessening
from recdistill.evaluation.report.lessening.finding import loses
from recdistill.pipeline import students as arms
from recdistill.pipeline.pipeline import stage_key
from recdistill.pipeline.smaller import REFERENCE, Leaving, Smaller, writable
from recdistill.pipeline.stages import Stage

if TYPE_CHECKING:
    from recdistill.models.recommender import Recommender
    from recdistill.pipeline.pipeline import Pipeline

CASES = 20_000
"""So many validation cases are asked: more would tell nothing new."""


def compared(pipeline: Pipeline) -> Path:
    """The folder with `compression.json` and `compression.html`.

    Raises:
        ConfigError: a student cannot be made smaller so.
        DataError: there are no validation cases, or the student knows nothing.
    """
    smaller, cases = Smaller(pipeline), held_out(pipeline)
    made = {name: smaller.students(name) for name in (WHOLE, *smaller.settings.students)}
    key = stage_key(
        pipeline.dataset.fingerprint,
        pipeline.config.evaluation.model_dump(mode="json"),
        smaller.settings.model_dump(mode="json"),
        pipeline.config.bundle.checks,
        {name: [one.identity for one in seeds] for name, seeds in made.items()},
    )
    bundles, reasons = writable(smaller, smaller.all)

    def write(folder: Path) -> None:
        save_lessening(folder, look(pipeline, smaller, bundles, reasons, cases))

    return pipeline.stage(Stage("compression", key, write)).folder


def look(
    pipeline: Pipeline,
    smaller: Smaller,
    bundles: Mapping[str, Sequence[Bundle]],
    reasons: Mapping[str, str],
    cases: Cases,
) -> dict[str, Any]:
    """The content of `compression.json`."""
    found = judged(pipeline, bundles, cases)
    tolerance = smaller.settings.tolerance
    prints = footprints(smaller, bundles, cases)
    content = lessening(found, prints, REFERENCE.name, tolerance, reasons)
    best = chosen(content)
    if best is None or best == REFERENCE.name:
        return content
    models = {name: [*map(Judged, bundles[name])] for name in (REFERENCE.name, best)}
    opened = evaluate(
        models, pipeline.dataset, config=_settings(pipeline), progress=pipeline.run.progress
    )
    return with_test(content, opened)


def leaving(pipeline: Pipeline) -> arms.Trained:
    """The student that is to leave; of its seeds the one that validation likes best."""
    name = pipeline.config.bundle.student
    if name == WHOLE:
        return pipeline.students.best
    return max(
        Smaller(pipeline).students(name), key=lambda trained: trained.log.best or float("-inf")
    )


def require_bearable(pipeline: Pipeline) -> None:
    """Refuse to let a student leave that loses more than the configuration allows, before anything is written.

    Raises:
        BundleError: telling what it loses.
    """
    asked = Leaving(pipeline.config.bundle.student, pipeline.config.bundle.form)
    if pipeline.config.compression is None or asked == REFERENCE:
        return
    smaller, cases = Smaller(pipeline), held_out(pipeline)
    bundles = {one.name: smaller.bundles(one) for one in (REFERENCE, asked)}
    found, tolerance = judged(pipeline, bundles, cases), smaller.settings.tolerance
    lost = loss(found, asked.name, REFERENCE.name, deciding(found))
    if not tolerance.allows(lost.mean, lost.high):
        raise BundleError(
            f"{asked.name} {loses(lost, deciding(found), found.config.confidence)}; compression.tolerance allows "
            f"{tolerance.share:.1%}{' at the far end' if tolerance.proof == 'interval' else ''}.",
            "Nothing was written. Choose another student or form (`recdistill compress` compares them), teach it "
            "longer, or allow more.",
        )


def judged(pipeline: Pipeline, bundles: Mapping[str, Sequence[Bundle]], cases: Cases) -> Evaluation:
    """All of them on validation."""
    models: dict[str, list[Recommender]] = {
        name: [Judged(one) for one in seeds] for name, seeds in bundles.items()
    }
    config, progress = _settings(pipeline), pipeline.run.progress
    return examine(models, pipeline.dataset, cases, "valid", config=config, progress=progress)


def footprints(
    smaller: Smaller, bundles: Mapping[str, Sequence[Bundle]], cases: Cases
) -> dict[str, Footprint]:
    """What every form takes, that of its first seed."""
    first = {name: seeds[0] for name, seeds in bundles.items()}
    runtimes = {name: bundle.runtime for name, bundle in first.items()}
    times = latencies(runtimes, cases.histories, smaller.settings.latency_requests)
    return {
        one.name: Footprint(
            student=one.student,
            form=one.form.label,
            parameters=_numbers(smaller.students(one.student)[0].model),
            bytes=_size(first[one.name], MODEL, TABLE),
            bundle_bytes=_size(first[one.name], *first[one.name].info.files),
            latency_p50=times[one.name][0],
            latency_p99=times[one.name][1],
        )
        for one in smaller.all
        if one.name in first
    }


def held_out(pipeline: Pipeline) -> Cases:
    """The validation cases; of very many, a fixed sample.

    Raises:
        DataError: there are none.
    """
    cases = pipeline.dataset.valid
    if not len(cases):
        raise DataError(
            f"{pipeline.dataset.name} has no validation cases, on which smaller students could be judged.",
            "Give the validation a part of the split: `dataset.split.valid`.",
        )
    return cases.take(sample(cases, CASES))


def _settings(pipeline: Pipeline) -> EvaluationConfig:
    """With a metric of accuracy, since one decides; time is taken elsewhere."""
    config = pipeline.config.evaluation.model_copy(update={"latency_requests": 0})
    if any(not metric.of_lists for metric in config.parsed):
        return config
    return config.model_copy(update={"metrics": ("ndcg@10", *config.metrics)})


def _numbers(model: Recommender) -> int:
    values: list[torch.Tensor] = list(model.network.state_dict().values())
    return sum(value.numel() for value in values)


def _size(bundle: Bundle, *names: str) -> int:
    return sum(bundle.info.files[name].size for name in names)
