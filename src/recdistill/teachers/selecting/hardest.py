"""`hardest`: where a quick student is most at a loss."""

from __future__ import annotations

from typing import Literal

import numpy as np

from recdistill.teachers.recommender import RecommenderTeacherConfig
from recdistill.teachers.selecting.contract import (
    NOTHING,
    Choice,
    Circumstances,
    Eligible,
    Few,
    best,
)
from recdistill.teachers.selecting.quick import NEIGHBOURS, Quick


class Hardest(Few):
    """The contexts of the highest loss −log p(what came next), or of the highest entropy, of a quick student.

    Uncertainty sampling (Lewis & Gale 1994, "A sequential algorithm for training text classifiers") is the second.
    """

    kind: Literal["hardest"] = "hardest"
    by: Literal["loss", "uncertainty"] = "loss"
    """What is hard: what the student would not have said, or where it does not know what to say."""
    student: RecommenderTeacherConfig = NEIGHBOURS
    """The quick student, fitted twice, without half of the users each time (`Quick`)."""

    def choose(self, eligible: Eligible, known: Circumstances) -> Choice:
        """The hardest."""
        students = Quick.fitted(known.dataset, self.student, known.run)
        answers = np.where(eligible.answers == NOTHING, 0, eligible.answers)
        found = students.asked(eligible.users, eligible.contexts.histories, answers)
        worth = -found.log_p if self.by == "loss" else -found.features[:, 2]
        rows = best(eligible, worth, self.contexts)
        return Choice(rows, {"loss": _means(-found.log_p, rows, eligible)})


def _means(loss: np.ndarray, rows: np.ndarray, eligible: Eligible) -> dict[str, float]:
    known = eligible.answers != NOTHING
    chosen = rows[known[rows]]
    return {
        "chosen": float(loss[chosen].mean()) if len(chosen) else 0.0,
        "all": float(loss[known].mean()) if known.any() else 0.0,
    }
