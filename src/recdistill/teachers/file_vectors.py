"""`file-vectors`: what somebody's model made of users and of items: vectors of one space, whose products are scores."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float32
from pydantic import Field, PositiveInt, model_validator

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.settings import LeakPolicy
from recdistill.errors import DataError
from recdistill.models.given import Given
from recdistill.models.recommender import Recommender
from recdistill.progress import SilentProgress
from recdistill.settings import Settings
from recdistill.teachers import calibration
from recdistill.teachers.base import RecommenderBacked
from recdistill.teachers.features import StudentFeatures, TextSource
from recdistill.teachers.features.student import FileFeatures, TextFeatures
from recdistill.teachers.hearsay.folding import folded
from recdistill.teachers.hearsay.users import (
    Users,
    UserTextsFile,
    UserVectorsFile,
    vectors_of_file,
    vectors_of_texts,
)
from recdistill.teachers.questions import Questions
from recdistill.training.options import RunOptions

ItemTable = Float32[np.ndarray, "items width"]


class FileVectorsConfig(Settings):
    """Whose vectors lie where. Both are of one model: texts are read by the items' language model, vectors come with
    the items' vectors."""

    kind: Literal["file-vectors"] = "file-vectors"
    users: Annotated[UserTextsFile | UserVectorsFile, Field(discriminator="kind")]
    """A file of texts about users, or of their vectors."""
    items: StudentFeatures
    """For texts, the language model that reads items and users; for vectors, the file with the items'."""
    leaks: LeakPolicy = "refuse"
    """What to do with texts that know what is held out: refuse them, take names out of them, or take them."""
    history: PositiveInt = 50
    """By how many of its latest items a context is known."""

    @model_validator(mode="after")
    def _of_one_model(self) -> FileVectorsConfig:
        if isinstance(self.users, UserTextsFile) != isinstance(self.items, TextFeatures):
            raise ValueError(
                "users and items need vectors of one model: texts of users go with `items: {kind: text, …}`, vectors "
                "of users with `items: {kind: file, …}`"
            )
        return self

    @property
    def besides(self) -> list[str]:
        """The content of the files."""
        return [*self.users.besides, *self.items.besides]


class FileVectorsTeacher(RecommenderBacked):
    """Speaks of every context: of those at the end of training by what was given, of others by folding in."""

    Config: ClassVar[type[Settings]] = FileVectorsConfig
    config: FileVectorsConfig

    @property
    def name(self) -> str:
        """The name of the users' file."""
        return self.config.users.path.name

    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        items, users = self._read(dataset, run)
        if users.vectors.shape[1] != items.shape[1]:
            raise DataError(
                f"Users have vectors of width {users.vectors.shape[1]}, items of width {items.shape[1]}.",
                "Their products are the scores, so both need vectors of one model.",
            )
        given = Given.of(dataset, items, users.histories, users.vectors, self.config.history)
        fold = folded(given.means(users.histories).numpy(), users.vectors)
        given.fold_in(fold.matrix, fold.offset)
        heat = calibration.temperature(Questions.ask([given], dataset))
        given.cool(heat)
        told = (
            f"Vectors of {len(users.vectors):,} users were given. Of other contexts than theirs at the end of training,"
            f" the teacher speaks by their items, which explain {fold.explained:.0%} of what the vectors hold."
        )
        (run.progress or SilentProgress()).say(told)
        self.notes = {
            **users.notes,
            "temperature": round(heat, 6),
            "explained": round(fold.explained, 4),
            "remarks": [*users.notes.get("remarks", ()), told],
        }
        return given

    def _read(self, dataset: Dataset, run: RunOptions) -> tuple[ItemTable, Users]:
        config = self.config
        if isinstance(config.users, UserTextsFile):
            read = config.items.features(dataset, run)
            self.texts = read.texts
            reader = read.source
            assert isinstance(reader, TextSource)
            users = vectors_of_texts(
                config.users, reader, read.standards, config.leaks, dataset, run
            )
            return read.table, _noted(users, read.notes)
        assert isinstance(config.items, FileFeatures)
        found = config.items.read(dataset, run)
        table = np.where(found.known[:, None], found.vectors, found.vectors[found.known].mean(0))
        users = vectors_of_file(config.users, dataset, run)
        return table.astype(np.float32), _noted(users, found.notes)


def _noted(users: Users, notes: dict[str, Any]) -> Users:
    return users._replace(notes={**notes, **users.notes})
