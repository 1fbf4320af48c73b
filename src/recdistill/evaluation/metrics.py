"""Metrics by name: `ndcg@10`, `mrr`, `coverage@20` …"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from recdistill.errors import ConfigError, nearest
from recdistill.evaluation import accuracy, beyond
from recdistill.evaluation.rankings import Ranking, Ranks

DEFAULT_METRICS = (
    "ndcg@10",
    "hit@10",
    "recall@20",
    "mrr",
    "coverage@10",
    "novelty@10",
    "gini@10",
    "average_popularity@10",
)

_CUT: dict[str, Callable[[Ranks, int], accuracy.PerCase]] = {
    "ndcg": accuracy.ndcg,
    "hit": accuracy.hit,
    "recall": accuracy.recall,
    "precision": accuracy.precision,
    "f1": accuracy.f1,
    "map": accuracy.average_precision,
    "mrr": accuracy.reciprocal_rank,
}
_WHOLE: dict[str, Callable[[Ranks], accuracy.PerCase]] = {
    "mrr": accuracy.reciprocal_rank,
    "auc": accuracy.auc,
}
_LISTS: dict[str, Callable[[beyond.Lists, beyond.Popularity], accuracy.PerCase]] = {
    "novelty": beyond.novelty,
    "average_popularity": beyond.average_popularity,
}
_AGGREGATES: dict[str, Callable[[beyond.Lists, beyond.Popularity], float]] = {
    "coverage": beyond.coverage,
    "gini": beyond.gini,
}
_NEED_CUT = {*_CUT, *_LISTS, *_AGGREGATES} - set(_WHOLE)
_NAME = re.compile(r"(?P<name>[a-z_0-9]+?)(?:@(?P<k>[1-9][0-9]*))?")


@dataclass(frozen=True)
class Metric:
    """A metric and the length of the list it looks at (`None`: the whole ranking)."""

    name: str
    k: int | None

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"

    @property
    def of_lists(self) -> bool:
        """Whether it looks at what was shown rather than at where the targets stood."""
        return self.name in _LISTS or self.name in _AGGREGATES

    @property
    def per_case(self) -> bool:
        """Whether it is a mean over cases, so that users can be resampled."""
        return self.name not in _AGGREGATES

    @cached_property
    def of_ranks(self) -> Callable[[Ranks], accuracy.PerCase]:
        """The metric as a function of ranks; only for metrics that are not `of_lists`."""
        if self.k is None:
            return _WHOLE[self.name]
        cut, k = _CUT[self.name], self.k
        return lambda ranks: cut(ranks, k)

    def cases(
        self, ranking: Ranking, popularity: Int64[np.ndarray, " items"]
    ) -> Float64[np.ndarray, " cases"]:
        """One value for each case; only for metrics that are `per_case`."""
        if self.of_lists:
            return _LISTS[self.name](ranking.top[:, : self.k], popularity)
        return self.of_ranks(ranking.ranks)

    def value(self, ranking: Ranking, popularity: Int64[np.ndarray, " items"]) -> float:
        """The metric of a model: the mean over cases, or a property of all lists together."""
        if not self.per_case:
            return _AGGREGATES[self.name](ranking.top[:, : self.k], popularity)
        values = self.cases(ranking, popularity)
        return float(values.mean()) if len(values) else 0.0


def parse(text: str) -> Metric:
    """The metric called `text`.

    Raises:
        ConfigError: there is no such metric, or its `@k` is missing, misplaced or no
            positive whole number.
    """
    match = _NAME.fullmatch(text)
    name = match["name"] if match else text.split("@")[0]
    if name not in _NEED_CUT and name not in _WHOLE:
        raise ConfigError(f"There is no metric '{text}'.", nearest(text, _valid_names()))
    if match is None:
        raise ConfigError(f"Metric '{text}' is not written right.", f"Write '{name}@10', say.")
    k = int(match["k"]) if match["k"] else None
    if k is None and name in _NEED_CUT:
        raise ConfigError(
            f"Metric '{text}' needs the length of the list.", f"Write '{name}@10', say."
        )
    if k is not None and name not in _CUT and name not in _LISTS and name not in _AGGREGATES:
        raise ConfigError(f"Metric '{text}' looks at the whole ranking.", f"Write '{name}'.")
    return Metric(name, k)


def parse_all(texts: Iterable[str]) -> tuple[Metric, ...]:
    """The metrics called `texts`, each once, in the order given."""
    return tuple(dict.fromkeys(parse(text) for text in texts))


def _valid_names() -> list[str]:
    return sorted({f"{name}@k" for name in (*_CUT, *_LISTS, *_AGGREGATES)} | set(_WHOLE))
