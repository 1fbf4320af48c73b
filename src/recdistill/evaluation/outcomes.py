"""How well heads tell what came of held-out events: ratings by their error, likes by their probability."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64

from recdistill.data.cases import Cases
from recdistill.evaluation.classification import auc
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.roles import STUDENT, TWIN
from recdistill.evaluation.significance import interval
from recdistill.models.foretelling import foretold, log_losses, rmse
from recdistill.models.outcomes import OutcomeConfig, heads_of
from recdistill.models.recommender import Recommender

BASELINE = "training_mean"
"""What knows nothing of users and items: the mean rating of training, the share of likes."""

Told = Float64[np.ndarray, "seeds cases"]
"""What the seeds of one model told of each case."""


def outcomes(models: Mapping[str, Sequence[Recommender]], evaluation: Evaluation) -> dict[str, Any]:
    """By head: what the models that have it make of cases whose ratings are known.

    Args:
        models: by role; several of one role are its seeds. Those without heads are passed over.
        evaluation: of held-out events; its cases have the ratings of their targets.

    Returns:
        For `rating` and `like`, as far as the student has such heads: `cases`, `models` (by role, the mean over seeds:
        `rmse` and `mae`, or `auc` and `log_loss`; `auc` is `None` where all labels are the same), beside them the
        baseline `training_mean`, and `difference`: student minus twin in `squared_error` or `log_loss`, with `low` and
        `high`; below 0 is better. Nothing without ratings or heads.
    """
    students, cases = models.get(STUDENT, ()), evaluation.cases
    if cases.ratings is None or not len(cases) or not students:
        return {}
    heads = heads_of(students[0].network)
    told = _told(
        {role: seeds for role, seeds in models.items() if len(heads_of(seeds[0].network).names)},
        cases,
    )
    return {
        name: _head(
            name,
            heads[name].settings,
            {role: answers[name] for role, answers in told.items() if name in answers}
            | {BASELINE: _mean(heads[name].base, heads[name].settings, cases)},
            evaluation,
        )
        for name in heads.names
    }


def _told(models: Mapping[str, Sequence[Recommender]], cases: Cases) -> dict[str, dict[str, Told]]:
    """By role and head."""
    targets = cases.targets.values[cases.targets.starts].astype(np.int64)
    found: dict[str, dict[str, Told]] = {}
    for role, seeds in models.items():
        answers = [foretold(one, one.trimmed(cases.histories), targets) for one in seeds]
        found[role] = {
            name: np.stack([one[name] for one in answers]).astype(np.float64) for name in answers[0]
        }
    return found


def _mean(base: torch.Tensor, settings: OutcomeConfig, cases: Cases) -> Told:
    return np.full((1, len(cases)), float(settings.told(base.detach().cpu())))


def _head(
    name: str,
    settings: OutcomeConfig,
    told: Mapping[str, Told],
    evaluation: Evaluation,
) -> dict[str, Any]:
    cases = evaluation.cases
    assert cases.ratings is not None
    truth = settings.observed(torch.from_numpy(cases.ratings)).numpy().astype(np.float64)
    measures = _MEASURES[name]
    found: dict[str, Any] = {
        "cases": len(cases),
        "models": {
            role: {
                measure: _over_seeds([ask(row, truth) for row in rows])
                for measure, ask in measures.items()
            }
            for role, rows in told.items()
        },
    }
    if STUDENT in told and TWIN in told:
        label, losses = _LOSSES[name]
        found["difference"] = {"of": label, **_difference(told, truth, losses, evaluation)}
    return found


def _over_seeds(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _difference(
    told: Mapping[str, Told],
    truth: Float64[np.ndarray, " cases"],
    losses: Callable[[Told, Float64[np.ndarray, " cases"]], Told],
    evaluation: Evaluation,
) -> dict[str, float]:
    """Student minus twin, users drawn again and again."""
    values = {role: losses(told[role], truth) for role in (STUDENT, TWIN)}
    drawn = evaluation.bootstrap.means(evaluation.cases.users, values)
    mean = float(values[STUDENT].mean() - values[TWIN].mean())
    return vars(interval(mean, drawn[STUDENT] - drawn[TWIN], evaluation.config.confidence))


def _squares(told: Told, truth: Float64[np.ndarray, " cases"]) -> Told:
    return np.square(told - truth)


def _auc(told: Float64[np.ndarray, " cases"], truth: Float64[np.ndarray, " cases"]) -> float | None:
    liked: Bool[np.ndarray, " cases"] = truth > 0.5
    return None if liked.all() or not liked.any() else auc(liked, told)


def _mae(told: Float64[np.ndarray, " cases"], truth: Float64[np.ndarray, " cases"]) -> float:
    return float(np.abs(told - truth).mean())


def _log_loss(told: Float64[np.ndarray, " cases"], truth: Float64[np.ndarray, " cases"]) -> float:
    return float(log_losses(told, truth).mean())


_LOSSES: Mapping[str, tuple[str, Callable[..., Any]]] = {
    "rating": ("squared_error", _squares),
    "like": ("log_loss", log_losses),
}
_MEASURES: Mapping[str, Mapping[str, Callable[..., float | None]]] = {
    "rating": {"rmse": rmse, "mae": _mae},
    "like": {
        "auc": _auc,
        "log_loss": _log_loss,
    },
}
