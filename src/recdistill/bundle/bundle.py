"""A loaded bundle: the verbs of a recommender, without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, UInt64

from recdistill.bundle.manifest import Manifest
from recdistill.bundle.runtime import Runtime, no_candidates
from recdistill.bundle.scoring.base import Best
from recdistill.bundle.table import Table
from recdistill.data.columns import ITEM, RANK, SCORE, USER
from recdistill.data.encoding import id_keys
from recdistill.data.reasons import Reasons
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import RawIds, Vocabulary
from recdistill.errors import ConfigError

SIMILAR = "similar_item_id"
"""The column of an item's neighbours."""
WHY = "why"
"""The column of reasons."""


@dataclass(frozen=True)
class Bundle:
    """A student ready to answer. Immutable, and safe to share between threads.

    Attributes:
        info: what the bundle says of itself.
        items: the catalogue; row `i` describes dense item `i`.
        vocabulary: raw item ids.
        table: the item table.
        runtime: the model.
        reasons: what the teacher said why; most bundles hold none.
    """

    info: Manifest
    items: pl.DataFrame
    vocabulary: Vocabulary
    table: Table
    runtime: Runtime
    reasons: Reasons = field(default_factory=lambda: Reasons({}))

    def recommend(
        self,
        histories: Sequence[RawIds],
        k: int = 10,
        *,
        filter_seen: bool = True,
        candidates: RawIds | None = None,
    ) -> pl.DataFrame:
        """The `k` best items of each history: a frame `user_id, item_id, score, rank`.

        Args:
            histories: raw item ids, oldest first. Unknown items are passed over; a history that is empty,
                or becomes so, gets what the student says to somebody new.
            k: how many; a list is shorter where fewer items may be given.
            filter_seen: leave out the items of the history, those before the student's window too.
            candidates: the only items to give; `None` for all.

        Returns:
            `user_id` is the row number of the history; ranks count from 1; ties go to the smaller item id.

        Raises:
            ConfigError: `k` is less than 1.
            DataError: a candidate is unknown; the message names the nearest known id.
        """
        _require_positive(k)
        allowed = no_candidates()
        if candidates is not None:
            allowed = np.unique(self.vocabulary.require(candidates, "candidate item")).astype(
                np.int64
            )
        places = len(self.vocabulary) if candidates is None else len(allowed)
        rows = self._encode(histories)
        if not places or not len(rows):
            return self._frame(USER, np.empty((0, 0), np.int64), np.empty((0, 0), np.float32), ITEM)
        dense, scores = self.runtime.top(
            rows, min(k, places), filter_seen=filter_seen, candidates=allowed
        )
        return self._frame(USER, dense, scores, ITEM)

    def top(
        self,
        histories: Sequences,
        k: int,
        *,
        filter_seen: bool = True,
        candidates: Int64[np.ndarray, " candidates"] | None = None,
        barred: Sequences | None = None,
    ) -> Best:
        """`recommend` in dense ids, for who serves many: items and scores `[rows, k]`, -1 and `-inf` where lists end.

        Args:
            histories: dense ids, of any length.
            k: how many.
            filter_seen: leave out the items of the history.
            candidates: the only items to give, ascending and each once; `None` for all, empty for none.
            barred: a row for each history: further items that it must not be given.

        Raises:
            ConfigError: `k` is less than 1.
        """
        _require_positive(k)
        if candidates is not None and not len(candidates):
            return np.full((len(histories), k), -1), np.full(
                (len(histories), k), -np.inf, np.float32
            )
        allowed = no_candidates() if candidates is None else candidates
        return self.runtime.top(
            histories, k, filter_seen=filter_seen, candidates=allowed, barred=barred
        )

    def explained(self, histories: Sequence[RawIds], recommended: pl.DataFrame) -> pl.DataFrame:
        """What `recommend` gave for these very `histories`, with a column `why`: the reason that the teacher gave for
        that item, about the same latest items or to everybody; null where it gave none.
        """
        rows, items = recommended[USER].to_list(), recommended[ITEM]
        dense = self.vocabulary.encode(items).tolist()
        texts = self.reasons.said(self._encode(histories), rows, dense, self._item_keys)
        return recommended.with_columns(pl.Series(WHY, texts, dtype=pl.String))

    def similar_items(self, items: RawIds, k: int = 10) -> pl.DataFrame:
        """The `k` nearest other items by cosine: a frame `item_id, similar_item_id, score, rank`.

        Raises:
            ConfigError: `k` is less than 1.
            DataError: an item is unknown; the message names the nearest known id.
        """
        _require_positive(k)
        asked = self.vocabulary.require(items).astype(np.int64)
        k = min(k, len(self.vocabulary) - 1)
        dense, scores = np.empty((len(asked), k), np.int64), np.empty((len(asked), k), np.float32)
        for row, item in enumerate(asked):
            closeness = self._directions @ self._directions[item]
            closeness[item] = -np.inf
            dense[row] = np.argsort(-closeness, kind="stable")[:k]
            scores[row] = closeness[dense[row]]
        frame = self._frame(ITEM, dense, scores, SIMILAR)
        return frame.with_columns(self.vocabulary.ids.gather(asked[frame[ITEM]]).alias(ITEM))

    @property
    def vectors(self) -> Float32[np.ndarray, "items width"]:
        """The item table, a vector a row; of a form that is not float32, widened when it is first asked for."""
        return self.table.vectors

    @cached_property
    def _directions(self) -> Float32[np.ndarray, "items width"]:
        lengths = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        return self.vectors / np.maximum(lengths, np.finfo(np.float32).tiny)

    @cached_property
    def _item_keys(self) -> UInt64[np.ndarray, " items"]:
        return id_keys(self.vocabulary.ids)

    def _encode(self, histories: Sequence[RawIds]) -> Sequences:
        rows = (self.vocabulary.encode(history) for history in histories)
        return Sequences.from_lists([row[row >= 0].tolist() for row in rows])

    def _frame(
        self,
        asked: str,
        dense: Int64[np.ndarray, "rows k"],
        scores: Float32[np.ndarray, "rows k"],
        given: str,
    ) -> pl.DataFrame:
        """Top lists in long form; places with nothing to give are left out."""
        rows, places = np.nonzero(dense >= 0)
        return pl.DataFrame(
            {
                asked: rows.astype(np.int64),
                given: self.vocabulary.decode(dense[rows, places].astype(np.int32)),
                SCORE: scores[rows, places],
                RANK: (places + 1).astype(np.int32),
            }
        )


def _require_positive(k: int) -> None:
    if k < 1:
        raise ConfigError(f"k is {k}: a list has at least one place.", "Ask for k = 1 or more.")
