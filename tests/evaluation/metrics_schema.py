"""The shape that `docs/metrics.md` promises of `metrics.json`, format 1, closed to anything else."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Values = dict[str, float]
Optional = dict[str, float | None]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Bounds(Shape):
    low: float
    high: float


class Difference(Bounds):
    mean: float


class Uplift(Shape):
    mean: float
    low: float | None
    high: float | None
    relative: float | None
    relative_low: float | None = None
    relative_high: float | None = None


class Split(BaseModel):
    kind: Literal["global-time", "leave-one-out", "last-fraction"]
    leaks: bool
    why: str
    hash: str


class DatasetFacts(Shape):
    name: str
    fingerprint: str
    users: int
    items: int
    train_events: int
    valid_cases: int
    test_cases: int
    test_users: int
    filter_seen: bool
    split: Split


class Speed(Shape):
    seconds: float
    cases_per_second: float


class Slice(Shape):
    cases: int = Field(gt=0)
    items: int | None = None
    models: dict[str, Values]
    uplift: dict[str, Difference] = {}


class Slices(Shape):
    popularity: dict[Literal["head", "middle", "tail", "cold"], Slice]
    history: dict[Literal["0", "1-5", "6-20", "21-50", "51+"], Slice]


class Costs(Shape):
    parameters: int
    bytes: int
    flops: int | None
    latency_p50: float | None
    latency_p99: float | None
    history: int
    device: str


class Verdict(Shape):
    metric: str | None
    result: Literal["better", "worse", "no difference shown", "not measured"]
    sentence: str


class BootstrapFacts(Shape):
    resamples: int = Field(ge=1000)
    confidence: float
    seed: int
    clusters: Literal["users"]
    seeds_resampled: bool


class Inheritance(Shape):
    item_cka: float | None = None
    state_cka: float | None = None
    calibration_error: float
    confidence: float
    top_1: float
    log_likelihood: float
    train: float | None = None
    gap: float | None = None


class OutcomeDifference(Difference):
    of: Literal["squared_error", "log_loss"]


class Outcome(Shape):
    cases: int = Field(gt=0)
    models: dict[str, Optional]
    difference: OutcomeDifference | None = None


class MetricsDocument(Shape):
    format: Literal[1]
    models: dict[str, Values]
    gap_closed: Optional
    retention: Optional
    uplift: dict[str, Uplift]
    seeds: int = Field(ge=1)
    dataset: DatasetFacts
    timing: dict[str, float | dict[str, Speed]]
    intervals: dict[str, dict[str, Bounds]]
    spread: dict[str, Optional]
    slices: Slices
    agreement: dict[Literal["student", "student_without_distillation"], Values]
    inheritance: dict[Literal["teacher", "student", "student_without_distillation"], Inheritance]
    outcomes: dict[Literal["rating", "like"], Outcome] = {}
    costs: dict[str, Costs]
    labelling: dict[str, float | int | None]
    notes: list[str]
    verdict: Verdict
    reasons: dict[Literal["gap_closed", "retention"], dict[str, str]]
    bootstrap: BootstrapFacts
