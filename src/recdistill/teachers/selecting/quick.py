"""What a quick student makes of contexts that it did not learn from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int32, Int64

from recdistill.data.cases import Cases
from recdistill.data.contexts import mix
from recdistill.data.dataset import Dataset
from recdistill.data.interactions import Interactions
from recdistill.data.sequences import Sequences
from recdistill.models.recommender import Recommender
from recdistill.models.validation import takes_repeat
from recdistill.teachers import calibration
from recdistill.teachers.combining import PerContext
from recdistill.teachers.questions import Questions
from recdistill.teachers.recommender import RecommenderTeacher, RecommenderTeacherConfig
from recdistill.teachers.routing import gather, popularity
from recdistill.training.options import RunOptions

FOLDS = 2
_AT_ONCE = 8192

NEIGHBOURS = RecommenderTeacherConfig(model={"kind": "item-knn"})
"""A student that costs no training."""


@dataclass(frozen=True)
class Impression:
    """What somebody makes of questions with one answer each.

    Attributes:
        log_p: the log-probability of the answer.
        rank: of the answer, 1 = best.
        features: of each question: log(1 + history length), mean log(1 + popularity) of the latest items, and how
            sure the student is (`combining.gate.facts`, `certainty`).
    """

    log_p: Float64[np.ndarray, " rows"]
    rank: Float64[np.ndarray, " rows"]
    features: Float64[np.ndarray, "rows 3"]


@dataclass(frozen=True)
class Quick:
    """Students of the same settings, each fitted without one part of the users, and asked about that part only.

    A student that has learned a context by heart would not tell how hard it is; so asked, it meets training contexts
    as it meets validation's, and what is found on these holds for those.

    Attributes:
        dataset: what they learned from.
        students: the one of each fold.
        temperatures: at which each one's probabilities fit the validation answers best.
    """

    dataset: Dataset
    students: tuple[Recommender, ...]
    temperatures: tuple[float, ...]

    @classmethod
    def fitted(cls, dataset: Dataset, settings: RecommenderTeacherConfig, run: RunOptions) -> Quick:
        """Train them."""
        parts = [without(dataset, fold) for fold in range(FOLDS)]
        students = [
            RecommenderTeacher(settings).fit(part, replace(run, folder=None)).recommender
            for part in parts
        ]
        heats = [calibration.temperature(Questions.ask([one], dataset)) for one in students]
        return cls(dataset, tuple(students), tuple(heats))

    def asked(
        self,
        users: Int32[np.ndarray, " rows"],
        histories: Sequences,
        answers: Int64[np.ndarray, " rows"],
    ) -> Impression:
        """What the students make of questions, each asked of the one that does not know the user."""
        found = Impression(np.empty(len(users)), np.empty(len(users)), np.empty((len(users), 3)))
        folds = fold_of(users)
        for fold, student in enumerate(self.students):
            mine = np.flatnonzero(folds == fold)
            for start in range(0, len(mine), _AT_ONCE):
                rows = mine[start : start + _AT_ONCE]
                told = self._told(student, fold, users[rows], histories.take(rows), answers[rows])
                found.log_p[rows], found.rank[rows] = told.log_p, told.rank
                found.features[rows] = told.features
        return found

    @torch.no_grad()
    def _told(
        self,
        student: Recommender,
        fold: int,
        users: Int32[np.ndarray, " rows"],
        histories: Sequences,
        answers: Int64[np.ndarray, " rows"],
    ) -> Impression:
        heats = [self.temperatures[fold]]
        questions = posed(student, self.dataset, users, histories, answers)
        evidence = gather(questions, popularity(self.dataset), heats, PerContext())
        return Impression(
            evidence.answers[0].numpy(),
            calibration.sole_ranks(questions),
            evidence.features.numpy(),
        )


def posed(
    model: Recommender,
    dataset: Dataset,
    users: Int32[np.ndarray, " rows"],
    histories: Sequences,
    answers: Int64[np.ndarray, " rows"],
) -> Questions:
    """Questions as `Questions.ask` has them, about any histories."""
    hidden = histories.tail(0) if takes_repeat(dataset.train.histories) else histories
    targets = Sequences.from_offsets(answers.astype(np.int32), np.arange(len(answers) + 1))
    states = model.states(model.trimmed(histories))
    cases = Cases(users, histories, targets)
    return Questions([model], [states], cases, torch.from_numpy(answers), hidden)


def fold_of(users: Int32[np.ndarray, " rows"]) -> Int64[np.ndarray, " rows"]:
    """The part of each user."""
    return (mix(users.astype(np.uint64)) % np.uint64(FOLDS)).astype(np.int64)


def without(dataset: Dataset, fold: int) -> Dataset:
    """The same dataset, in which the users of a fold have done nothing in training."""
    train = dataset.train
    kept = fold_of(np.arange(train.num_users, dtype=np.int32)) != fold
    counts = np.diff(train.offsets)
    events: Bool[np.ndarray, " events"] = np.repeat(kept, counts)
    offsets = np.concatenate([[0], np.cumsum(counts * kept)]).astype(np.int64)
    ratings = None if train.ratings is None else train.ratings[events]
    part = Interactions(offsets, train.items[events], train.times[events], ratings)
    return replace(dataset, train=part)
