"""Texts of a file, joined to users or to items."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from jaxtyping import Int32, Int64

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.finding import Finder
from recdistill.data.hearsay.records import Records, pick, read_records, require_field, scalars
from recdistill.data.hearsay.report import JoinReport
from recdistill.data.hearsay.settings import TextsAboutItems, TextsAboutUsers, ToldFile
from recdistill.data.hearsay.whose import of_users
from recdistill.data.sequences import Sequences
from recdistill.errors import DataError

_REFUSAL: Final = re.compile(
    r"\W*(i'?’?m sorry|i am sorry|sorry,|i apologi[sz]e|as an? (ai|language model)|i can(no|')t (provide|help|assist))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class UserTexts:
    """What was said about users.

    Attributes:
        users: dense.
        histories: what each had done when training ended: the context that a text is about.
        texts: one a user.
        report: what joining found.
    """

    users: Int32[np.ndarray, " texts"]
    histories: Sequences
    texts: list[str]
    report: JoinReport

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Int64[np.ndarray, " chosen"]) -> UserTexts:
        """The chosen texts."""
        texts = [self.texts[row] for row in rows]
        return replace(
            self, users=self.users[rows], histories=self.histories.take(rows), texts=texts
        )


@dataclass(frozen=True)
class ItemTexts:
    """Attributes:
    texts: one an item of the catalogue; empty where nothing was said.
    report: what joining found.
    """

    texts: list[str]
    report: JoinReport


def join_user_texts(file: TextsAboutUsers, dataset: Dataset) -> UserTexts:
    """The texts of a file about the users of a dataset.

    Raises:
        DataError: the file cannot be read, has no such fields, or is about nobody in the log.
    """
    report = JoinReport(file.path.name, "users")
    said = _said(file, file.text, report)
    keys = [pick(row, file.user_id) for row in said.rows] if file.user_id else []
    users, rows = of_users(file, keys, dataset, report)
    texts = [_text(pick(said.rows[row], file.text)) for row in rows]
    report.count("joined", len(rows))
    _require_some(len(rows), file, dataset, report)
    return UserTexts(users, dataset.train.histories.take(users.astype(np.int64)), texts, report)


def join_item_texts(file: TextsAboutItems, dataset: Dataset) -> ItemTexts:
    """The texts of a file about the items of a dataset; of several about one item, the first.

    Raises:
        DataError: the file cannot be read, has no such fields, or is about no item of the catalogue.
    """
    report = JoinReport(file.path.name, "items")
    said = _said(file, file.text, report)
    names = [str(pick(row, file.item_id)) for row in said.rows]
    found, report.names = Finder(dataset, file.matching).find([[name] for name in names])
    texts = [""] * dataset.num_items
    for (item,), row in reversed([*zip(found, said.rows, strict=True)]):
        if item >= 0:
            texts[item] = _text(pick(row, file.text))
    joined = sum(map(bool, texts))
    report.count("repeated", report.names.found - joined)
    report.count("joined", joined)
    report.count("items_without_text", dataset.num_items - joined)
    _require_some(joined, file, dataset, report)
    return ItemTexts(texts, report)


def _said(file: ToldFile, field: str, report: JoinReport) -> Records:
    """The records that say something; a refusal says nothing."""
    records = read_records(file.file)
    require_field(records, field, file.path)
    report.count("records", len(records))
    report.count("damaged_lines", records.lines_damaged, records.damaged)
    texts = [_text(pick(row, field)) for row in records.rows]
    refused = [bool(_REFUSAL.match(text)) for text in texts]
    report.count("empty_texts", sum(not text for text in texts))
    report.count(
        "refusals", sum(refused), (text for text, no in zip(texts, refused, strict=True) if no)
    )
    kept = [
        row for row, text, no in zip(records.rows, texts, refused, strict=True) if text and not no
    ]
    return Records(kept)


def _text(value: Any) -> str:
    return ", ".join(str(one).strip() for one in scalars(value)).strip()


def _require_some(joined: int, file: ToldFile, dataset: Dataset, report: JoinReport) -> None:
    if joined:
        return
    ids: Sequence[Any] = (
        (dataset.users if report.about == "users" else dataset.vocabulary).ids.head(3).to_list()
    )
    found = "\n".join(report.lines())
    raise DataError(
        f"Nothing in {file.path} could be joined to '{dataset.name}':\n{found}",
        f"The {report.about} of the log are called {', '.join(map(str, ids))}….",
    )
