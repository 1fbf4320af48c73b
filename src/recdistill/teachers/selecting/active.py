"""`active`: where the teacher is likely right and a student wrong, as validation shows."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Int32, Int64
from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from recdistill.data.sequences import Sequences
from recdistill.errors import DataError
from recdistill.settings import Settings
from recdistill.teachers.calibration import sole_ranks
from recdistill.teachers.questions import Questions
from recdistill.teachers.recommender import RecommenderTeacherConfig
from recdistill.teachers.routing import popularity
from recdistill.teachers.selecting.contract import (
    NOTHING,
    Choice,
    Circumstances,
    Eligible,
    Few,
    best,
)
from recdistill.teachers.selecting.promise import EFFECTS, effects, promised
from recdistill.teachers.selecting.quick import NEIGHBOURS, Quick


class Mix(Settings):
    """How the budget is shared between contexts of each kind; the numbers are proportions."""

    effective: NonNegativeFloat = 1.0
    """Where the teacher is likely right and the student wrong."""
    similar: NonNegativeFloat = 0.0
    """Where both are likely alike."""
    incorrect: NonNegativeFloat = 0.0
    """Where the teacher is likely wrong and the student right."""

    @model_validator(mode="after")
    def _something(self) -> Mix:
        if not (self.effective or self.similar or self.incorrect):
            raise ValueError("at least one share must be above 0")
        return self

    def counts(self, contexts: int) -> list[int]:
        """The budget of each of `EFFECTS`, all of it."""
        shares = np.array([self.effective, self.similar, self.incorrect])
        upto = np.round(np.cumsum(shares) / shares.sum() * contexts).astype(int)
        return np.diff(upto, prepend=0).tolist()


class Active(Few):
    """The contexts in which asking promises most.

    On `probe` validation cases teacher and quick student are both asked; by the ranks they give the right answer,
    asking was effective (teacher right, student wrong), similar, or incorrect (the terms are those of Du et al. 2025,
    "Active large language model-based knowledge distillation for session-based recommendation", ALKDRec). How likely
    each is in a training context is read from what it looks like: history length, popularity of the latest items and
    of what came next, how sure the student is and where it ranked what came next (`promise`).
    """

    kind: Literal["active"] = "active"
    probe: PositiveInt = 1000
    """So many validation cases are asked about at most; they are calls, too."""
    right: PositiveInt = 10
    """Who ranks the answer so high or higher is right."""
    student: RecommenderTeacherConfig = NEIGHBOURS
    """The quick student, fitted twice, without half of the users each time (`Quick`)."""
    mix: Mix | None = Field(default=None)
    """How the budget is shared; when not given, it all goes where P(effective) − P(incorrect) is highest."""

    @property
    def asks(self) -> bool:
        """It is asked about the probe."""
        return True

    def choose(self, eligible: Eligible, known: Circumstances) -> Choice:
        """Where asking promises most.

        Raises:
            DataError: there are no validation cases.
        """
        asked = Questions.ask([known.teacher], known.dataset, self.probe)
        if not len(asked):
            raise DataError(
                f"{known.dataset.name} has no validation cases, on which `select: {{kind: active}}` learns.",
                "Give the validation a part of the split, or select `random` contexts.",
            )
        students = Quick.fitted(known.dataset, self.student, known.run)
        cases, answers = asked.cases, asked.answers.numpy()
        features, own = _features(students, cases.users, cases.histories, answers)
        seen = effects(sole_ranks(asked), own, self.right)
        promise = promised(self._shaped(features, own), seen)
        wanted = np.where(eligible.answers == NOTHING, 0, eligible.answers)
        features, own = _features(students, eligible.users, eligible.contexts.histories, wanted)
        likely = promise.of(self._shaped(features, own))
        rows = self._chosen(eligible, likely)
        return Choice(rows, _facts(seen, likely, rows))

    def _shaped(
        self, features: Float64[np.ndarray, "rows 4"], rank: Float64[np.ndarray, " rows"]
    ) -> Float64[np.ndarray, "rows 6"]:
        """With the student's rank of the answer, and whether it is right."""
        return np.column_stack([features, np.log(rank), rank <= self.right])

    def _chosen(
        self, eligible: Eligible, likely: Float64[np.ndarray, "rows 3"]
    ) -> Int64[np.ndarray, " chosen"]:
        if self.mix is None:
            return best(eligible, likely[:, 0] - likely[:, 2], self.contexts)
        left = np.arange(len(eligible), dtype=np.int64)
        taken: list[Int64[np.ndarray, " some"]] = []
        for effect, count in enumerate(self.mix.counts(self.contexts)):
            some = left[best(eligible.take(left), likely[left, effect], count)]
            taken.append(some)
            left = np.setdiff1d(left, some)
        return np.sort(np.concatenate(taken))


def _features(
    students: Quick,
    users: Int32[np.ndarray, " rows"],
    histories: Sequences,
    answers: Int64[np.ndarray, " rows"],
) -> tuple[Float64[np.ndarray, "rows 4"], Float64[np.ndarray, " rows"]]:
    """What questions look like, and the student's rank of the answer."""
    found = students.asked(users, histories, answers)
    known = np.log1p(popularity(students.dataset))[answers]
    return np.column_stack([found.features, known]), found.rank


def _facts(
    seen: Int64[np.ndarray, " cases"],
    likely: Float64[np.ndarray, "rows 3"],
    rows: Int64[np.ndarray, " chosen"],
) -> dict[str, Any]:
    """How often each effect was seen on validation, and is expected of all contexts and of those chosen."""
    return {
        "probed": len(seen),
        "seen": _by_effect(np.bincount(seen, minlength=len(EFFECTS)) / len(seen)),
        "expected": _by_effect(likely.mean(axis=0)),
        "expected_of_chosen": _by_effect(likely[rows].mean(axis=0)),
    }


def _by_effect(values: Float64[np.ndarray, " effects"]) -> dict[str, float]:
    return dict(zip(EFFECTS, values.tolist(), strict=True))
