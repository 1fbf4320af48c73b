"""What a student took over from its teacher beside its lists: geometry, sureness, and how it generalises."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32

from recdistill.data.cases import Cases, sample
from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.evaluation.calibration import beliefs, mean_facts
from recdistill.evaluation.cka import linear_cka
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.metrics import Metric
from recdistill.evaluation.options import EvaluationConfig
from recdistill.evaluation.protocol import Models, by_role, examine, popularity_of
from recdistill.evaluation.roles import STUDENT, TEACHER, TWIN
from recdistill.models.recommender import Recommender
from recdistill.progress import Progress

CASES = 2000
"""So many cases are looked at: enough for two digits of everything here."""

Values = dict[str, dict[str, float]]
"""By role, by name."""


def inheritance(
    models: Models, dataset: Dataset, held_out: Evaluation, progress: Progress | None = None
) -> Values:
    """Likeness to the teacher, calibration, and generalisation gap of teacher, student and twin.

    Args:
        models: by role; other roles than these three are passed over.
        dataset: what they were trained on.
        held_out: an evaluation of these models on cases that taught nobody.
        progress: what a person sees of it.

    Returns:
        By role, the means over seeds, on up to `CASES` of the cases: `item_cka`, `state_cka` (not of the
        teacher, and only between models whose scores are products of vectors), `calibration_error`,
        `confidence`, `top_1`, `log_likelihood`, and of the evaluation's primary metric `train` and `gap`.
    """
    roles = {
        role: seeds
        for role, seeds in by_role(models, dataset).items()
        if role in (TEACHER, STUDENT, TWIN)
    }
    cases = held_out.cases.take(sample(held_out.cases, CASES))
    found = {
        role: mean_facts(beliefs(one, cases) for one in seeds) for role, seeds in roles.items()
    }
    known = popularity_of(dataset) > 0
    for role in roles.keys() - {TEACHER} if TEACHER in roles else ():
        found[role] |= likeness(roles[TEACHER], roles[role], cases, known)
    if held_out.primary is not None:
        fitted = on_training(roles, dataset, held_out.config, progress)
        for role, values in gaps(fitted, held_out, held_out.primary).items():
            found[role] |= values
    return found


def likeness(
    teachers: Sequence[Recommender],
    students: Sequence[Recommender],
    cases: Cases,
    known: Bool[np.ndarray, " items"],
) -> dict[str, float]:
    """Linear CKA of item vectors and of states, the mean over seeds; nothing where there are no vectors.

    Items that nobody took are left out: the vectors that a model of ids has for them are the noise it began with.
    """
    pairs = [(teachers[seed % len(teachers)], one) for seed, one in enumerate(students)]
    if not all(one.factorised for pair in pairs for one in pair):
        return {}
    tables = [linear_cka(_table(one)[known], _table(other)[known]) for one, other in pairs]
    states = [linear_cka(_states(one, cases), _states(other, cases)) for one, other in pairs]
    return {"item_cka": float(np.mean(tables)), "state_cka": float(np.mean(states))}


def on_training(
    models: Models, dataset: Dataset, config: EvaluationConfig, progress: Progress | None = None
) -> Evaluation:
    """The same questions about what taught the models: a sample of training events, each after those before it."""
    cases = training_cases(dataset, CASES)
    return examine(models, dataset, cases, "train", config=config, progress=progress)


def training_cases(dataset: Dataset, at_most: int) -> Cases:
    """Up to `at_most` training events that have one before them, as cases; the same at every call."""
    histories = dataset.train.histories
    events = histories.places()
    users = np.repeat(np.arange(len(histories), dtype=np.int32), histories.lengths)
    later = events > histories.starts[users]
    events, users = events[later], users[later]
    asked = Cases(
        users,
        Sequences(histories.values, histories.starts[users], events),
        Sequences(histories.values, events, events + 1),
    )
    return asked.take(sample(asked, at_most))


def gaps(fitted: Evaluation, held_out: Evaluation, metric: Metric) -> Values:
    """How much better each model is on what taught it."""
    found: Values = {}
    for role in fitted.rankings:
        train = fitted.value(role, metric)
        found[role] = {"train": train, "gap": train - held_out.value(role, metric)}
    return found


@torch.no_grad()
def _table(model: Recommender) -> Float32[np.ndarray, "items width"]:
    return model.item_table().float().cpu().numpy()


@torch.no_grad()
def _states(model: Recommender, cases: Cases) -> Float32[np.ndarray, "cases width"]:
    return model.states(model.trimmed(cases.histories)).float().cpu().numpy()
