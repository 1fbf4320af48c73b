"""Teachers whose every word costs something are asked about a fixed sample of what they are compared on."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool

from recdistill.data.sequences import Sequences
from recdistill.models.recommender import Recommender
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.opinions import Opinions
from recdistill.teachers.reranked import Reranked


def judges(model: Recommender) -> list[Reranked]:
    """The recommenders with a judge that speak when `model` does: itself, or its members."""
    if isinstance(model, Mixture | Opinions):
        return [found for member in model.members for found in judges(member)]
    return [model] if isinstance(model, Reranked) else []


def spared(model: Recommender, histories: Sequences) -> Recommender:
    """The same model, whose judges are asked about a sample of `histories` only; on the others their bases speak.

    A model without a judge is returned as it is.
    """
    return with_judges(model, lambda one: one.about(histories))


def with_judges(model: Recommender, change: Callable[[Reranked], Reranked]) -> Recommender:
    """The same model, with a `change` to everyone in it that has a judge."""
    if isinstance(model, Reranked):
        return change(model)
    if isinstance(model, Mixture | Opinions) and judges(model):
        other = copy.copy(model)
        other.members = [with_judges(member, change) for member in model.members]
        return other
    return model


def asked(model: Recommender, histories: Sequences) -> Bool[np.ndarray, " rows"]:
    """About which of `histories` all judges of `model` are asked; all where there is none."""
    chosen = np.ones(len(histories), dtype=np.bool_)
    for one in judges(model):
        chosen &= one.asked(histories)
    return chosen


def remarks(model: Recommender, histories: Sequences) -> tuple[str, ...]:
    """What a reader must know of how a `model` answered that was `spared`, in sentences; none without a judge."""
    if not judges(model):
        return ()
    size = "The teacher's size and operations are those of its base: what its judge takes is not in them."
    chosen = int(asked(model, histories).sum())
    if chosen == len(histories):
        return (size,)
    return (
        f"The teacher's judge was asked about {chosen:,} of the {len(histories):,} cases, a fixed sample; on the others"
        " the base spoke alone, so the teacher's figures lie between those of its base and its own.",
        size,
    )
