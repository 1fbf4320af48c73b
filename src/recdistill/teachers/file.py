"""`file`: lists and scores that someone's language model gave elsewhere; a trained recommender proposes, they order."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import PositiveInt

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.lists import join_lists
from recdistill.data.hearsay.settings import LeakPolicy, ListsFile
from recdistill.models.recommender import Recommender
from recdistill.settings import Settings
from recdistill.teachers.candidates import RerankingConfig, RerankingTeacher
from recdistill.teachers.hearsay.guarding import guarded_lists
from recdistill.teachers.hearsay.judge import ListJudge
from recdistill.teachers.judging import Judge
from recdistill.training.options import RunOptions


class FileConfig(RerankingConfig):
    """Which file holds the lists, how they are joined, and what becomes of leaks."""

    kind: Literal["file"] = "file"
    lists: ListsFile
    """Ranked lists or scores, of users, of histories, or of everybody."""
    leaks: LeakPolicy = "refuse"
    """What to do with lists that know what is held out: refuse them, leave out those that name it, or take them."""
    history: PositiveInt = 50
    """By how many of its latest items a context is known."""
    sample: PositiveInt | None = None
    """What was said costs nothing more: all cases are asked about."""

    @property
    def besides(self) -> list[str]:
        """The content of the file."""
        return self.lists.besides


class FileTeacher(RerankingTeacher):
    """Speaks of the contexts that its lists are about; of all others its base speaks alone."""

    Config: ClassVar[type[Settings]] = FileConfig
    config: FileConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    _heard: list[str]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.config.lists.path.name

    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        fitted = super()._fitted(dataset, run)
        self.notes["remarks"] = [*self._heard, *self.notes.get("remarks", ())]
        return fitted

    def _judge(self, dataset: Dataset, run: RunOptions) -> Judge:
        lists, found = guarded_lists(
            join_lists(self.config.lists, dataset), self.config.leaks, dataset, run
        )
        self.notes, self._heard = found, found["remarks"]
        return ListJudge.of(lists, dataset, self.config.history)
