"""A judge who has nothing but lists: it knows the contexts that they are about, and says nothing of any other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, UInt64
from safetensors.numpy import load_file, save_file

from recdistill.data.contexts import history_keys
from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.lists import Lists
from recdistill.data.reasons import Place, Reasons, context_keys
from recdistill.data.sequences import Sequences
from recdistill.data.tables import write_parquet
from recdistill.teachers.accounts import Account
from recdistill.teachers.judging import Proposed

_FILE, _REASONS = "lists.safetensors", "reasons.parquet"


@dataclass(frozen=True)
class Preferences:
    """What lists say of items, in numbers; one row a context.

    Attributes:
        keys: of the contexts, ascending.
        offsets: row `r` is what lies from `offsets[r]` to `offsets[r + 1]`.
        items: dense ids, ascending within a row.
        values: how much each is preferred (log scale).
        others: how much any other item is; NaN where nothing is said of others.
    """

    keys: UInt64[np.ndarray, " rows"]
    offsets: Int64[np.ndarray, " rows_plus_1"]
    items: Int64[np.ndarray, " values"]
    values: Float32[np.ndarray, " values"]
    others: Float32[np.ndarray, " rows"]

    @classmethod
    def of(cls, lists: Lists, item_keys: UInt64[np.ndarray, " items"], history: int) -> Preferences:
        """Those of joined lists; of lists about the same latest `history` items, the first counts."""
        keys, first = np.unique(
            history_keys(lists.histories.tail(history), item_keys), return_index=True
        )
        rows = [preferences(lists, int(row)) for row in first]
        ordered = [np.argsort(items) for items, _, _ in rows]
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(items) for items, _, _ in rows], out=offsets[1:])
        return cls(
            keys,
            offsets,
            np.concatenate([items[by] for (items, _, _), by in zip(rows, ordered, strict=True)]),
            np.concatenate([values[by] for (_, values, _), by in zip(rows, ordered, strict=True)]),
            np.array([others for *_, others in rows], dtype=np.float32),
        )

    def read(self, row: int, candidates: Int64[np.ndarray, " c"]) -> Float32[np.ndarray, " c"]:
        """What is said of each candidate; all NaN where none of them is preferred to others by name."""
        part = slice(self.offsets[row], self.offsets[row + 1])
        items, values = self.items[part], self.values[part]
        places = np.minimum(np.searchsorted(items, candidates), len(items) - 1)
        named = items[places] == candidates
        said = np.where(named, values[places], self.others[row])
        return said if named.any() else np.full_like(said, np.nan)


def preferences(
    lists: Lists, row: int
) -> tuple[Int64[np.ndarray, " k"], Float32[np.ndarray, " k"], float]:
    """The items of a list, how much each is preferred, and how much others are.

    By rank, the item at rank r has −log r (its share falls as 1/r), and what a list passed over stands behind its end:
    −log (length + 1). By score, it has its score, and what was passed over a step less than the last: the mean step
    between neighbours. Where it is known what was shown, only that was passed over; of the rest nothing is said, and so
    it is of items that scores about everybody leave out. All is multiplied by the list's confidence.
    """
    items = lists.items[row].astype(np.int64)
    values, beyond = _by_score(lists, row) if lists.scores is not None else _by_rank(len(items))
    sure = 1.0 if lists.confidence is None else float(lists.confidence[row])
    others = np.nan if lists.everybody or lists.shown is not None else beyond
    if lists.shown is not None:
        passed = np.setdiff1d(lists.shown[row].astype(np.int64), items)
        items = np.concatenate([items, passed])
        values = np.concatenate([values, np.full(len(passed), beyond)])
    return items, (values * sure).astype(np.float32), float(others * sure)


def _by_rank(length: int) -> tuple[np.ndarray, float]:
    return -np.log(np.arange(1, length + 1)), -float(np.log(length + 1))


def _by_score(lists: Lists, row: int) -> tuple[np.ndarray, float]:
    assert lists.scores is not None
    values = lists.scores[lists.items.starts[row] : lists.items.stops[row]].astype(np.float64)
    step = (values[0] - values[-1]) / (len(values) - 1) if len(values) > 1 else 1.0
    return values, float(values[-1] - step)


def reasons(lists: Lists, item_keys: UInt64[np.ndarray, " items"], history: int) -> Reasons:
    """What lists say in words; of lists about the same latest `history` items, the first counts."""
    latest = 0 if lists.everybody else history
    keys = context_keys(lists.histories, latest, item_keys)
    return Reasons.of(
        (Place(keys[row], latest, item), text)
        for row, texts in enumerate(lists.why)
        for item, text in zip(lists.items[row].tolist(), texts, strict=True)
    )


class ListJudge:
    """Says what lists say: of the contexts that they are about, known by the latest `history` items."""

    kind: ClassVar[str] = "lists"

    def __init__(
        self,
        said: Preferences,
        item_keys: UInt64[np.ndarray, " items"],
        history: int,
        told: Reasons | None = None,
        named: Account | None = None,
    ) -> None:
        """`item_keys` are the dataset's; a single row about an empty history is about everybody; `told` are the
        reasons of the lists; `named` counts the items that they name."""
        self.history = history
        self._named = named or Account()
        self._told = told or Reasons({})
        self._said, self._item_keys = said, item_keys
        nothing = history_keys(Sequences.from_lists([[]]), item_keys)
        self._everybody = np.array_equal(said.keys, nothing)

    @classmethod
    def of(cls, lists: Lists, dataset: Dataset, history: int) -> Self:
        """The judge of joined lists."""
        keys = dataset.item_keys
        names = lists.report.names
        named = Account(named=names.total, in_catalogue=names.found) if names.total else None
        said, told = Preferences.of(lists, keys, history), reasons(lists, keys, history)
        return cls(said, keys, history, told, named)

    def why(
        self, histories: Sequences, proposed: Proposed, item_keys: UInt64[np.ndarray, " items"]
    ) -> Reasons:
        """All reasons of its lists: they cost nothing more."""
        return self._told

    def judge(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> Float32[np.ndarray, "rows c"]:
        """What the lists say of the candidates; NaN where no list is about the history."""
        judged = np.full(candidates.shape, np.nan, dtype=np.float32)
        rows = self.rows(histories)
        for row in np.flatnonzero(rows >= 0):
            judged[row] = self._said.read(int(rows[row]), candidates[row])
        return judged

    def rows(self, histories: Sequences) -> Int64[np.ndarray, " rows"]:
        """Which list is about each history; -1 where none is."""
        if self._everybody:
            return np.zeros(len(histories), dtype=np.int64)
        keys = history_keys(histories.tail(self.history), self._item_keys)
        places = np.minimum(np.searchsorted(self._said.keys, keys), len(self._said.keys) - 1)
        return np.where(self._said.keys[places] == keys, places, -1).astype(np.int64)

    def account(self) -> Account:
        """The items that the whole file names, and those of them that were found in the catalogue."""
        return self._named

    def identity(self) -> str:
        """A hash of all that is said, and of the items it is said of."""
        digest = hashlib.sha256(f"{self.kind} {self.history}".encode())
        for array in self._arrays().values():
            digest.update(np.ascontiguousarray(array).data)
        if len(self._told):
            digest.update(self._told.identity.encode())
        return digest.hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Write `lists.safetensors`, and the reasons, if there are any."""
        if len(self._told):
            write_parquet(self._told.frame(), folder / _REASONS)
        counts = [self._named.named or 0, self._named.in_catalogue or 0]
        numbers = {"history": [self.history], "named": counts}
        arrays = {name: np.array(values, dtype=np.int64) for name, values in numbers.items()}
        save_file({**self._arrays(), **arrays}, folder / _FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        read = load_file(folder / _FILE)
        said = Preferences(**{one.name: read[one.name] for one in fields(Preferences)})
        file = folder / _REASONS
        told = Reasons.from_frame(pl.read_parquet(file)) if file.is_file() else None
        # Judges of earlier versions did not count.
        named, found = read.get("named", np.zeros(2, dtype=np.int64)).tolist()
        counted = Account(named=named, in_catalogue=found) if named else None
        return cls(said, read["item_keys"], int(read["history"][0]), told, counted)

    def _arrays(self) -> dict[str, np.ndarray]:
        said = {one.name: getattr(self._said, one.name) for one in fields(Preferences)}
        return {**said, "item_keys": self._item_keys}
