"""Where vectors of users come from: a file of them, or a file of texts and the model that reads the items."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float32

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.report import JoinReport
from recdistill.data.hearsay.settings import AboutUsers, LeakPolicy, TextsAboutUsers
from recdistill.data.hearsay.texts import join_user_texts
from recdistill.data.hearsay.whose import of_users
from recdistill.data.sequences import Sequences
from recdistill.data.sources.registry import under_data
from recdistill.errors import DataError
from recdistill.files import file_sha256
from recdistill.progress import SilentProgress
from recdistill.teachers.features import TextSource
from recdistill.teachers.features.standards import Standards
from recdistill.teachers.features.vectors import read_any
from recdistill.teachers.hearsay.guarding import guarded_texts
from recdistill.training.options import RunOptions


class UserVectorsFile(AboutUsers):
    """Vectors of users, in the space of the items' vectors."""

    kind: Literal["vectors"] = "vectors"
    user_id: str | None = "user_id"
    """The column, or the array, of ids."""
    ids: Path | None = None
    """Where the ids of the rows are, if not in the same file: a table, or a .npy."""
    columns: tuple[str, ...] = ()
    """The columns, or the array, that hold the numbers; all others when not given."""

    @property
    def besides(self) -> list[str]:
        """The content of the files."""
        return [*super().besides, *([file_sha256(under_data(self.ids))] if self.ids else [])]


class UserTextsFile(TextsAboutUsers):
    """Texts about users, read by the language model that reads the items."""

    kind: Literal["texts"] = "texts"


class Users(NamedTuple):
    """Attributes:
    histories: what each had done when training ended.
    vectors: of each.
    notes: what joining found, and what is known of leaks.
    """

    histories: Sequences
    vectors: Float32[np.ndarray, "users width"]
    notes: dict[str, Any]


def vectors_of_file(file: UserVectorsFile, dataset: Dataset, run: RunOptions) -> Users:
    """The vectors of a file.

    Raises:
        DataError: it cannot be read, is about nobody in the log, or a number is not finite.
    """
    ids = under_data(file.ids) if file.ids else None
    table = read_any(file.file, ids, file.user_id or "user_id", file.columns)
    report = JoinReport(file.path.name, "users")
    report.count("records", len(table.ids))
    users, rows = of_users(file, table.ids.to_list(), dataset, report)
    report.count("joined", len(rows))
    for line in report.lines():
        (run.progress or SilentProgress()).say(line)
    vectors = table.vectors[rows]
    wrong = int((~np.isfinite(vectors)).any(1).sum())
    if not len(rows) or wrong:
        raise DataError(
            f"{file.path} has {len(rows)} vectors of users of the log, {wrong} of which are not all finite numbers.",
            f"Users are called {', '.join(map(str, dataset.users.ids.head(3)))}…; see `user_id` and `shift`.",
        )
    histories = dataset.train.histories.take(users.astype(np.int64))
    note = f"{file.path.name} holds numbers: whether they know what is held out cannot be seen."
    return Users(
        histories, vectors, {"join": report.facts(), "remarks": [*report.sentences(), note]}
    )


def vectors_of_texts(
    file: UserTextsFile,
    source: TextSource,
    standards: Standards,
    policy: LeakPolicy,
    dataset: Dataset,
    run: RunOptions,
) -> Users:
    """The vectors that `source` makes of texts, by the items' `standards`.

    Raises:
        DataError: the texts cannot be joined, or know what is held out, and the policy is to refuse.
    """
    joined = join_user_texts(file, dataset)
    texts, notes = guarded_texts(joined, policy, dataset, run, file.title)
    vectors = standards.applied(source.encoded(texts.texts, run)).astype(np.float32)
    return Users(texts.histories, vectors, notes)
