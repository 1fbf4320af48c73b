"""The test, once, for all models alike."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int64

from recdistill.data.dataset import Cases, Dataset
from recdistill.data.holdout import open_test
from recdistill.data.interactions import Interactions
from recdistill.errors import ConfigError, DataError
from recdistill.evaluation.cost import cost_of
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.metrics import parse_all
from recdistill.evaluation.options import EvaluationConfig
from recdistill.evaluation.ranker import RankingOptions, rank_cases
from recdistill.evaluation.rankings import Ranking
from recdistill.models.recommender import Recommender
from recdistill.models.validation import takes_repeat
from recdistill.progress import Progress, SilentProgress
from recdistill.teachers.sparing import spared

Models = Mapping[str, Recommender | Sequence[Recommender]]


def evaluate(
    models: Models,
    dataset: Dataset,
    metrics: Sequence[str] | None = None,
    *,
    config: EvaluationConfig | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Rank the whole catalogue for every test case, with every model.

    Where a model listens to somebody whose every word costs something, he is asked about a sample of the cases only
    (see `teachers.sparing`).

    Args:
        models: by role. The roles `teacher`, `student`, `student_without_distillation` and
            `popularity` (see `roles`) are compared with each other; others are only measured.
            Several models of one role are several seeds of it: figures are their means.
        dataset: whose test is opened.
        metrics: names like `ndcg@10`; instead of those in `config`.
        config: metrics, filter, bootstrap and memory.
        progress: what a person sees of it.

    Raises:
        ConfigError: a metric does not exist, there is no model, or one has another catalogue.
        DataError: the test is empty.
    """
    config = config or EvaluationConfig()
    if metrics is not None:
        config = config.model_copy(update={"metrics": _checked(metrics)})
    roles = by_role(models, dataset)
    cases = open_test(dataset.folder)
    if len(cases) == 0:
        raise DataError(
            f"The test of {dataset.name} has no cases.", "Give the test a larger part of the split."
        )
    roles = _spared(roles, cases)
    started = time.perf_counter()
    found = examine(roles, dataset, cases, "test", config=config, progress=progress)
    costs = {
        role: cost_of(seeds[0], cases, config.latency_requests) for role, seeds in roles.items()
    }
    return replace(found, costs=costs, seconds=time.perf_counter() - started)


def examine(
    models: Models,
    dataset: Dataset,
    cases: Cases,
    name: str,
    *,
    config: EvaluationConfig | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Rank the whole catalogue for any cases, with every model; without the costs of the models.

    Args:
        models: by role, as for `evaluate`.
        dataset: whose catalogue it is.
        cases: the questions.
        name: of these cases among the facts: `test`, `valid`, `train`.
        config: metrics, filter, bootstrap and memory.
        progress: what a person sees of it.

    Raises:
        ConfigError: there is no model, or one has another catalogue.
    """
    config = config or EvaluationConfig()
    roles = _spared(by_role(models, dataset), cases)
    options = RankingOptions(config.depth, filters_seen(config, dataset.train), config.memory_mb)
    started = time.perf_counter()
    shown = progress or SilentProgress()
    rankings = {role: _rank(role, seeds, cases, options, shown) for role, seeds in roles.items()}
    return Evaluation(
        config=config,
        dataset=_facts(dataset, cases, name, options.filter_seen),
        cases=cases,
        popularity=popularity_of(dataset),
        rankings=rankings,
        seconds=time.perf_counter() - started,
    )


def filters_seen(config: EvaluationConfig, train: Interactions) -> bool:
    """Whether lists leave out what the history holds; by default unless users take items again."""
    return not takes_repeat(train.histories) if config.filter_seen is None else config.filter_seen


def popularity_of(dataset: Dataset) -> Int64[np.ndarray, " items"]:
    """The number of training events of each item."""
    return np.bincount(dataset.train.items, minlength=dataset.num_items).astype(np.int64)


def _checked(metrics: Sequence[str]) -> tuple[str, ...]:
    """Metrics by their own names; a wrong one is a `ConfigError` here, not pydantic's."""
    return tuple(str(metric) for metric in parse_all(metrics))


def by_role(models: Models, dataset: Dataset) -> dict[str, tuple[Recommender, ...]]:
    """Every seed of every role.

    Raises:
        ConfigError: there is no model, or one has another catalogue than `dataset`.
    """
    roles = {
        role: (found,) if isinstance(found, Recommender) else tuple(found)
        for role, found in models.items()
    }
    if not roles or not all(roles.values()):
        raise ConfigError("There is no model to evaluate.", "Give at least one for every role.")
    for role, seeds in roles.items():
        if any(len(model.vocabulary) != dataset.num_items for model in seeds):
            raise ConfigError(
                f"The model '{role}' was made for another catalogue than that of {dataset.name}.",
                "Train it on this dataset, or evaluate it on its own.",
            )
    return roles


def _spared(
    roles: Mapping[str, Sequence[Recommender]], cases: Cases
) -> dict[str, tuple[Recommender, ...]]:
    return {
        role: tuple(spared(model, cases.histories) for model in seeds)
        for role, seeds in roles.items()
    }


def _rank(
    role: str,
    seeds: Sequence[Recommender],
    cases: Cases,
    options: RankingOptions,
    progress: Progress,
) -> tuple[Ranking, ...]:
    name = f"evaluating {role.replace('_', ' ')}"
    with progress.task(name, total=len(cases) * len(seeds), unit="cases") as task:
        return tuple(rank_cases(model, cases, options, task.advance) for model in seeds)


def _facts(dataset: Dataset, cases: Cases, name: str, filter_seen: bool) -> dict[str, Any]:
    split = dataset.split
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "users": len(dataset.users),
        "items": dataset.num_items,
        "train_events": len(dataset.train),
        "valid_cases": len(dataset.valid),
        f"{name}_cases": len(cases),
        f"{name}_users": len(np.unique(cases.users)),
        "filter_seen": filter_seen,
        "split": {
            "kind": split.kind,
            "leaks": split.leaks,
            "why": split.why,
            "hash": split.hash,
            **split.settings.model_dump(mode="json", exclude={"kind"}),
        },
    }
