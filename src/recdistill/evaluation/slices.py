"""Whom does it help? The test cut by the item to be found, and by what was known of the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64

from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.metrics import Metric
from recdistill.evaluation.roles import STUDENT, TWIN
from recdistill.evaluation.significance import Bootstrap, interval

HEAD_SHARE, MIDDLE_SHARE = 1 / 3, 2 / 3
POPULARITY_GROUPS = ("head", "middle", "tail", "cold")
HISTORY_STARTS = (0, 1, 6, 21, 51)
"""Where the groups of history lengths begin."""


def popularity_groups(popularity: Int64[np.ndarray, " items"]) -> Int8[np.ndarray, " items"]:
    """The popularity group of each item, as an index into `POPULARITY_GROUPS`.

    Items stand in order of training events, most first (ties by id). Those that together hold the
    first third of all events are the head, those of the second third the middle, the rest the
    tail: three groups that people use equally often. Items without a training event are cold.
    """
    order = np.lexsort((np.arange(len(popularity)), -popularity))
    before = np.cumsum(popularity[order]) - popularity[order]
    share = before / max(int(popularity.sum()), 1)
    groups = np.empty(len(popularity), dtype=np.int8)
    groups[order] = np.digitize(share, [HEAD_SHARE, MIDDLE_SHARE])
    groups[popularity == 0] = POPULARITY_GROUPS.index("cold")
    return groups


def history_groups(
    lengths: Int64[np.ndarray, " cases"],
) -> Iterator[tuple[str, Bool[np.ndarray, " cases"]]]:
    """Each group of history lengths by name, and which cases belong to it."""
    stops = (*HISTORY_STARTS[1:], None)
    for start, stop in zip(HISTORY_STARTS, stops, strict=True):
        name = (
            str(start)
            if stop == start + 1
            else f"{start}+"
            if stop is None
            else f"{start}-{stop - 1}"
        )
        yield name, (lengths >= start) & (lengths < (np.inf if stop is None else stop))


@dataclass(frozen=True)
class Slice:
    """The targets of the test that share something."""

    name: str
    targets: Bool[np.ndarray, " targets"]
    facts: Mapping[str, int]


Cuts = Mapping[str, Sequence[Slice]]
"""Ways to cut the cases, by name."""


def slices(evaluation: Evaluation, further: Cuts | None = None) -> dict[str, dict[str, Any]]:
    """Every accuracy metric of every model within each slice, and the primary uplift.

    Args:
        evaluation: of any cases.
        further: ways to cut them beside popularity and history.
    """
    return {
        cut: {one.name: _measure(evaluation, one) for one in parts if one.targets.any()}
        for cut, parts in {**cuts(evaluation), **(further or {})}.items()
    }


def cuts(evaluation: Evaluation) -> dict[str, list[Slice]]:
    """By popularity of what is to be found, and by length of the history."""
    return {"popularity": by_popularity(evaluation), "history": _by_history(evaluation)}


def by_popularity(evaluation: Evaluation) -> list[Slice]:
    """The targets of each of `POPULARITY_GROUPS`, in that order."""
    groups = popularity_groups(evaluation.popularity)
    targets = evaluation.cases.targets
    found = groups[targets.values[targets.places()]]
    return [
        Slice(name, found == group, {"items": int((groups == group).sum())})
        for group, name in enumerate(POPULARITY_GROUPS)
    ]


def _by_history(evaluation: Evaluation) -> list[Slice]:
    cases = evaluation.cases
    sizes = cases.targets.lengths
    return [
        Slice(name, np.repeat(chosen, sizes), {})
        for name, chosen in history_groups(cases.histories.lengths)
    ]


def _measure(evaluation: Evaluation, part: Slice) -> dict[str, Any]:
    metrics = [metric for metric in evaluation.metrics if not metric.of_lists]
    values = {
        role: {str(metric): values_within(evaluation, role, metric, part) for metric in metrics}
        for role in evaluation.rankings
    }
    kept = next(iter(evaluation.rankings.values()))[0].ranks.of(part.targets)[1]
    models = {
        role: {name: float(found.mean()) for name, found in by_metric.items()}
        for role, by_metric in values.items()
    }
    result: dict[str, Any] = {"cases": len(kept), **part.facts, "models": models}
    if {STUDENT, TWIN} <= set(values) and evaluation.primary:
        name = str(evaluation.primary)
        pair = {role: values[role][name] for role in (STUDENT, TWIN)}
        result["uplift"] = {name: _uplift(evaluation.bootstrap, evaluation, pair, kept)}
    return result


def values_within(
    evaluation: Evaluation, role: str, metric: Metric, part: Slice
) -> Float64[np.ndarray, "seeds kept"]:
    """The metric of every case that has a target in the slice, judged by those targets only."""
    chosen = [one.ranks.of(part.targets)[0] for one in evaluation.rankings[role]]
    return np.stack([metric.of_ranks(ranks) for ranks in chosen])


def _uplift(
    bootstrap: Bootstrap,
    evaluation: Evaluation,
    pair: Mapping[str, Float64[np.ndarray, "seeds kept"]],
    kept: Int64[np.ndarray, " kept"],
) -> dict[str, float]:
    draws = bootstrap.means(evaluation.cases.users[kept], pair)
    found = interval(
        float(pair[STUDENT].mean() - pair[TWIN].mean()),
        draws[STUDENT] - draws[TWIN],
        evaluation.config.confidence,
    )
    return {"mean": found.mean, "low": found.low, "high": found.high}
