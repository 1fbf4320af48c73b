"""What an evaluation asks."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt

from recdistill.evaluation.metrics import DEFAULT_METRICS, Metric, parse, parse_all
from recdistill.settings import Settings, validated


def _known(text: str) -> str:
    with validated():
        return str(parse(text))


MetricName = Annotated[str, AfterValidator(_known)]


class EvaluationConfig(Settings):
    """How models are compared."""

    metrics: tuple[MetricName, ...] = Field(default=DEFAULT_METRICS, min_length=1)
    """Names like `ndcg@10`; the first one that judges accuracy decides the verdict."""
    seeds: PositiveInt = 3
    """How many times the student and the student without distillation are trained."""
    filter_seen: bool | None = None
    """Whether lists leave out what the history holds; by default unless users take items again."""
    resamples: int = Field(default=2000, ge=1000)
    """Bootstrap resamples behind every interval."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0)
    """The share of intervals that would hold the truth."""
    seed: NonNegativeInt = 0
    """Of the bootstrap and of the choice of examples."""
    memory_mb: PositiveFloat = 256.0
    """How much memory scores may take at once."""
    latency_requests: NonNegativeInt = 200
    """Single histories on which latency is measured; 0 measures none."""

    @property
    def parsed(self) -> tuple[Metric, ...]:
        """The metrics."""
        return parse_all(self.metrics)

    @property
    def depth(self) -> int:
        """How long lists must be for the metrics, and for agreement and examples."""
        return max([10, *(metric.k or 0 for metric in self.parsed if metric.of_lists)])
