"""Why a teacher recommends what it does, in its own words: gathered from what it said, and nobody is asked for it."""

from __future__ import annotations

import copy

import numpy as np
from jaxtyping import UInt64

from recdistill.data.encoding import id_keys
from recdistill.data.reasons import Reasons
from recdistill.data.sequences import Sequences
from recdistill.models.recommender import Recommender
from recdistill.teachers.judging import GivesReasons, Remembers
from recdistill.teachers.reranked import Reranked
from recdistill.teachers.sparing import judges, with_judges


def reasons(model: Recommender, histories: Sequences) -> Reasons:
    """What the judges of `model`, as far as they count in it, gave as reasons about those `histories` that they are
    asked about."""
    found, keys = Reasons({}), id_keys(model.vocabulary.ids)
    for one in judges(model):
        if isinstance(one.judge, GivesReasons) and one.config.blend.judge:
            some = histories.take(np.flatnonzero(one.asked(histories)))
            found = found.and_those_of(_of(one, one.judge, some, keys))
    return found


def _of(
    one: Reranked, judge: GivesReasons, histories: Sequences, keys: UInt64[np.ndarray, " items"]
) -> Reasons:
    trimmed = one.trimmed(histories)  # as when it is asked, so that the candidates are the same
    return judge.why(trimmed, lambda rows: one.proposed(trimmed.take(rows)).cpu().numpy(), keys)


def remembering(model: Recommender) -> Recommender:
    """The same model, whose judges say again what they said, where that is kept, and are asked nothing."""
    return with_judges(model, _remembering)


def _remembering(one: Reranked) -> Reranked:
    if not isinstance(one.judge, Remembers):
        return one
    same = copy.copy(one)
    same.judge = one.judge.remembering()
    return same
