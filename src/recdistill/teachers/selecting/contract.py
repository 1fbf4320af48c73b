"""What a selection is: given all contexts that could be asked about, those that will be.

A teacher that is paid by the question is asked where that pays. What is not chosen is absent from the signals, and
terms that hear the teacher pass over it.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int32, Int64
from pydantic import PositiveInt

from recdistill.data.contexts import Contexts
from recdistill.data.dataset import Dataset
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.training.options import RunOptions

NOTHING = -1
"""The answer of a context that ends a training history: what came next is not for training."""


@dataclass(frozen=True)
class Eligible:
    """The contexts that could be asked about.

    Attributes:
        contexts: each once.
        answers: what came next in training; `NOTHING` where nothing did.
        users: whose history it is (of several, the first's).
    """

    contexts: Contexts
    answers: Int64[np.ndarray, " rows"]
    users: Int32[np.ndarray, " rows"]

    def __len__(self) -> int:
        return len(self.contexts)

    @classmethod
    def of(cls, dataset: Dataset) -> Eligible:
        """The distinct contexts of the training events, in the order in which they are labelled."""
        train, contexts = dataset.train, dataset.contexts()
        following = np.full(len(train), NOTHING, dtype=np.int64)
        following[:-1] = train.items[1:]
        following[train.offsets[1:][np.diff(train.offsets) > 0] - 1] = NOTHING
        owners = np.repeat(np.arange(train.num_users, dtype=np.int32), np.diff(train.offsets))
        _, first = np.unique(contexts.keys, return_index=True)
        rows = np.sort(first).astype(np.int64)
        return cls(contexts.take(rows), following[rows], owners[rows])

    def take(self, rows: Int64[np.ndarray, " chosen"]) -> Eligible:
        """The chosen ones, in the order given."""
        return Eligible(self.contexts.take(rows), self.answers[rows], self.users[rows])


@dataclass(frozen=True)
class Circumstances:
    """What a selection may look at beside the contexts.

    Attributes:
        dataset: whose contexts they are; its validation may be asked about, too.
        teacher: who will be asked.
        run: how models of the selection are trained.
    """

    dataset: Dataset
    teacher: Recommender
    run: RunOptions


@dataclass(frozen=True)
class Choice:
    """Which contexts, and what was found out on the way.

    Attributes:
        rows: of the eligible contexts, ascending.
        facts: as plain data.
    """

    rows: Int64[np.ndarray, " chosen"]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


class Selection(Settings):
    """Which contexts a teacher is asked about."""

    @property
    def budget(self) -> int | None:
        """How many contexts the teacher is asked about at most; `None` where these are all."""
        return None

    @property
    def asks(self) -> bool:
        """Whether the teacher himself has to be asked to choose."""
        return False

    @abstractmethod
    def choose(self, eligible: Eligible, known: Circumstances) -> Choice:
        """The contexts that will be asked about."""


class Few(Selection):
    """A selection of so many contexts."""

    contexts: PositiveInt
    """How many contexts the teacher is asked about."""

    @property
    def budget(self) -> int | None:
        """So many."""
        return self.contexts


def best(
    eligible: Eligible, worth: np.ndarray, count: int, seed: int = 0
) -> Int64[np.ndarray, " chosen"]:
    """The `count` contexts of the highest `worth`, ascending; equals in an order that `seed` draws.

    Contexts without an answer come last: only a term that listens at the ends of histories too would hear them. A
    smaller choice is part of a larger one.
    """
    lots = order_of(eligible, seed)
    ends = eligible.answers == NOTHING
    # lexsort: the last key counts most.
    order = np.lexsort((lots, -worth, ends))
    return np.sort(order[:count]).astype(np.int64)


def order_of(eligible: Eligible, seed: int) -> np.ndarray:
    """A number for each context, by its key and `seed` alone: the same wherever it stands, in any version."""
    from recdistill.data.contexts import mix

    return mix(eligible.contexts.keys ^ mix(np.full(1, seed + 1, dtype=np.uint64)))
