"""Why a teacher recommends what it does, in its own words: gathered from what it said, and nobody is asked for it."""

from __future__ import annotations

import copy

import numpy as np
from jaxtyping import Int64

from recdistill.data.reasons import Reasons
from recdistill.data.sequences import Sequences
from recdistill.models.recommender import Recommender
from recdistill.teachers.judging import GivesReasons, Remembers
from recdistill.teachers.reranked import Reranked
from recdistill.teachers.sparing import judges, with_judges


def giving(model: Recommender) -> list[Reranked]:
    """Who in `model` has a judge that gives reasons and counts for something."""
    return [
        one
        for one in judges(model)
        if isinstance(one.judge, GivesReasons) and one.config.blend.judge
    ]


def reasons(model: Recommender, histories: Sequences) -> Reasons:
    """What the judges of `model`, as far as they count in it, gave as reasons about those `histories` that they are
    asked about."""
    found = Reasons({})
    for one in giving(model):
        some = histories.take(np.flatnonzero(one.asked(histories)))
        found = found.and_those_of(_of(one, some))
    return found


def _of(one: Reranked, histories: Sequences) -> Reasons:
    assert isinstance(one.judge, GivesReasons)
    trimmed = one.trimmed(histories)  # as when it is asked, so that the candidates are the same

    def proposed(rows: Int64[np.ndarray, " rows"]) -> Int64[np.ndarray, "rows c"]:
        return one.proposed(trimmed.take(rows)).cpu().numpy()

    return one.judge.why(trimmed, proposed, one.item_keys)


def remembering(model: Recommender) -> Recommender:
    """The same model, whose judges say again what they said, where that is kept, and are asked nothing."""
    return with_judges(model, _remembering)


def _remembering(one: Reranked) -> Reranked:
    if not isinstance(one.judge, Remembers):
        return one
    same = copy.copy(one)
    same.judge = one.judge.remembering()
    return same
