"""What came of an evaluation, kept case by case so that any question can be asked of it later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from recdistill.data.dataset import Cases
from recdistill.evaluation.cost import Cost
from recdistill.evaluation.metrics import Metric
from recdistill.evaluation.options import EvaluationConfig
from recdistill.evaluation.rankings import Ranking
from recdistill.evaluation.significance import Bootstrap, Draws
from recdistill.files import write_json


@dataclass(frozen=True)
class Evaluation:
    """Every model's ranking of every test case.

    Attributes:
        config: what was asked.
        dataset: of what, as plain facts for reports.
        cases: the questions.
        popularity: training events of each item.
        rankings: by role; one for each seed.
        costs: by role.
        seconds: how long it took.
    """

    config: EvaluationConfig
    dataset: Mapping[str, Any]
    cases: Cases
    popularity: Int64[np.ndarray, " items"]
    rankings: Mapping[str, tuple[Ranking, ...]]
    costs: Mapping[str, Cost] = field(default_factory=dict[str, Cost])
    seconds: float = 0.0

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics asked for."""
        return self.config.parsed

    @property
    def primary(self) -> Metric | None:
        """The metric that decides the verdict: the first that judges accuracy."""
        return next((metric for metric in self.metrics if not metric.of_lists), None)

    def by_seed(self, role: str, metric: Metric) -> Float64[np.ndarray, " seeds"]:
        """The metric of each seed of a model."""
        return np.array([metric.value(one, self.popularity) for one in self.rankings[role]])

    def value(self, role: str, metric: Metric) -> float:
        """The metric of a model, its mean over seeds."""
        return float(self.by_seed(role, metric).mean())

    def per_case(self, role: str, metric: Metric) -> Float64[np.ndarray, "seeds cases"]:
        """The metric of every case, for each seed of a model."""
        return np.stack([metric.cases(one, self.popularity) for one in self.rankings[role]])

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """The resampling behind all intervals."""
        return Bootstrap(self.config.resamples, self.config.seed)

    @cached_property
    def draws(self) -> dict[tuple[str, str], Draws]:
        """Every mean of cases, resampled; by role and metric, all from the same draws of users."""
        values = {
            (role, str(metric)): self.per_case(role, metric)
            for role in self.rankings
            for metric in self.metrics
            if metric.per_case
        }
        return self.bootstrap.means(self.cases.users, values)

    def to_metrics(
        self,
        timing: Mapping[str, float] | None = None,
        labelling: Mapping[str, Any] | None = None,
        notes: Iterable[str] = (),
        inheritance: Mapping[str, Mapping[str, float]] | None = None,
        outcomes: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The content of `metrics.json` (see `docs/metrics.md`).

        Args:
            timing: seconds of what came before the evaluation, by stage.
            labelling: what the teacher's signals cost (see `cost.labelling`).
            notes: what the run advised of its configuration, a sentence each.
            inheritance: what students have of their teacher beside its lists (see `inheritance.inheritance`).
            outcomes: what heads beside the ranking are worth (see `outcomes.outcomes`).
        """
        from recdistill.evaluation.document import document

        return document(
            self, timing or {}, labelling or {}, notes, inheritance or {}, outcomes or {}
        )

    def save(self, folder: Path | str) -> Path:
        """Write `metrics.json` into `folder`.

        Raises:
            StorageError: the disk refused it.
        """
        path = Path(folder) / "metrics.json"
        write_json(path, self.to_metrics())
        return path
