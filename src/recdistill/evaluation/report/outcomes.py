"""What heads beside the ranking are worth: a table of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recdistill.evaluation.report import wording
from recdistill.evaluation.report.measures import Measure, Table, table
from recdistill.evaluation.report.reading import number, part


def _written(value: float) -> str:
    return wording.significant(value, 3)


_TITLES = {"rating": "Ratings", "like": "Likes"}
_MEASURES = (
    Measure(
        "rmse", "RMSE", "The root of the mean squared error of ratings. Lower is better.", _written
    ),
    Measure(
        "mae", "MAE", "The mean error of ratings, without its sign. Lower is better.", _written
    ),
    Measure(
        "auc",
        "AUC",
        "The chance that a liked item is given a higher probability than one that was not. Higher is better.",
        _written,
    ),
    Measure(
        "log_loss", "Log-loss", "Of whether an item was liked, in nats. Lower is better.", _written
    ),
)
_LOSSES = {"squared_error": "squared error", "log_loss": "log-loss"}


@dataclass(frozen=True)
class Head:
    """One head: what it tells, of all models that have it, and what distillation did to it in a sentence."""

    title: str
    table: Table
    sentence: str


def outcomes(found: Mapping[str, Any]) -> tuple[Head, ...]:
    """The heads of `metrics["outcomes"]`; none where there is nothing."""
    heads = ((name, part(found, name)) for name in found)
    return tuple(
        Head(_TITLES.get(name, name), table(part(head, "models"), _MEASURES), _sentence(head))
        for name, head in heads
        if head
    )


def _sentence(head: Mapping[str, Any]) -> str:
    mean, low, high = (number(head, "difference", key) for key in ("mean", "low", "high"))
    if mean is None or low is None or high is None:
        return ""
    loss = _LOSSES.get(str(part(head, "difference").get("of")), "error")
    shown = "lower" if high < 0 else "higher" if low > 0 else ""
    sizes = f"{wording.signed(mean, 3)} ({wording.signed(low, 3)} to {wording.signed(high, 3)})"
    result = f"is {shown}" if shown else "shows no difference"
    return f"The distilled student’s {loss} {result} beside the undistilled one’s: {sizes}."
