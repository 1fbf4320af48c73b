"""Members of an ensemble that know nothing, as validation shows: an ensemble that weighs them learns noise."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from recdistill.data.sequences import Sequences
from recdistill.teachers.calibration import sole_ranks
from recdistill.teachers.chance import Standing, against_chance
from recdistill.teachers.questions import Questions


def near_random(questions: Questions) -> list[int]:
    """The members that are not shown to differ from a random order of the catalogue, though the cases would show it
    (`chance.Verdict`); none where all are, since somebody has to speak."""
    if not len(questions):
        return []
    members = range(len(questions.members))
    found = [
        member
        for member in members
        if against_chance(standing(questions.of(member))).result == "near-random"
    ]
    return found if len(found) < len(members) else []


def standing(questions: Questions) -> Standing:
    """Where one member puts the right answers, among the items that compete."""
    ranks, answers = sole_ranks(questions), questions.answers.numpy()
    items = len(questions.members[0].vocabulary)
    among = items - _hidden(questions.hidden, answers)
    users = questions.cases.users.astype(np.int64)
    # An answer that is hidden itself stands below all others.
    better = np.minimum(ranks, among) - 1.0
    return Standing(better, np.zeros(len(ranks)), among, users, answers)


def _hidden(hidden: Sequences, answers: np.ndarray) -> Float64[np.ndarray, " cases"]:
    """How many items do not compete in each case, the answer not counted."""
    rows = np.repeat(np.arange(len(hidden)), hidden.lengths)
    items = hidden.values[hidden.places()].astype(np.int64)
    others = items != answers[rows]
    pairs = np.unique(np.stack([rows[others], items[others]]), axis=1)
    return np.bincount(pairs[0], minlength=len(hidden)).astype(np.float64)
