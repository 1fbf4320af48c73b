"""What a reader must know before believing the numbers, found in the numbers themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.glossary import metric_title
from recdistill.evaluation.report.reading import POPULARITY, STUDENT, TEACHER, TWIN, number, part
from recdistill.evaluation.report.verdict import test_users

FEW_USERS = 500
FEW_SEEDS = 3


def cautions(metrics: Mapping[str, Any], told: tuple[str, ...], metric: str) -> tuple[str, ...]:
    """What the run warned of, then what the metrics show; each once."""
    return tuple(dict.fromkeys((*told, *_protocol(metrics), *_quality(metrics, metric))))


def split_kind(metrics: Mapping[str, Any]) -> str:
    """The kind of split, empty when it is not recorded."""
    split = part(metrics, "dataset").get("split")
    kind = part(metrics, "dataset", "split").get("kind", split)
    return kind if isinstance(kind, str) else ""


def _protocol(metrics: Mapping[str, Any]) -> Iterator[str]:
    users, seeds = test_users(metrics), number(metrics, "seeds")
    split = split_kind(metrics)
    if part(metrics, "dataset", "split").get("leaks", split == "leave-one-out") is True:
        yield (
            f"The {split} split leaks the future: models train on events later than some they "
            "are tested on. Use these numbers to compare with the literature only."
        )
    if users is not None and users < FEW_USERS:
        yield (
            f"Only {wording.plural(users, 'user')} in the test: the intervals are wide, and small "
            "differences cannot be seen."
        )
    if seeds is not None and seeds < FEW_SEEDS:
        yield (
            f"Only {wording.plural(seeds, 'seed')}: some of the difference may be the luck of the "
            "initialisation. Use at least three, five for a claim."
        )


def _quality(metrics: Mapping[str, Any], metric: str) -> Iterator[str]:
    value = {
        model: number(metrics, "models", model, metric)
        for model in (TEACHER, STUDENT, TWIN, POPULARITY)
    }
    name = metric_title(metric)
    if _not_above(value[TEACHER], value[TWIN]):
        yield (
            f"The teacher does not beat the undistilled student in {name}: there is no gap to "
            "close, and a better teacher is the first thing to look for."
        )
    if _not_above(value[STUDENT], value[POPULARITY]):
        yield f"The student does not beat plain popularity in {name}."


def _not_above(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one <= other
