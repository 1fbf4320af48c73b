"""From requests to lists: what a bundle is asked, and what it says in the words of the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float32, Int32, Int64

from recdistill.bundle.bundle import SIMILAR, Bundle
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.runtime import no_candidates
from recdistill.data.columns import SCORE
from recdistill.data.sequences import Sequences
from recdistill.serving.messages import (
    Recommendations,
    Recommended,
    RecommendRequest,
    SimilarRequest,
    Version,
)

TITLE = "title"


class Ranked(NamedTuple):
    """The best dense items of a request and their scores."""

    items: Int64[np.ndarray, " k"]
    scores: Float32[np.ndarray, " k"]


@dataclass(frozen=True)
class Student:
    """A bundle that answers requests. Immutable; whoever holds one gets all of an answer from it."""

    bundle: Bundle
    path: Path

    @cached_property
    def digest(self) -> str:
        """The bundle's name."""
        return self.bundle.info.digest

    @cached_property
    def titles(self) -> pl.Series | None:
        """Of all items, where the catalogue has some."""
        items = self.bundle.items
        return items[TITLE].cast(pl.String) if TITLE in items.columns else None

    def recommend(self, requests: Sequence[RecommendRequest]) -> list[Recommendations]:
        """A list for each request; `history` must be there.

        Raises:
            DataError: a candidate is unknown.
        """
        histories = [self._encode(request.history or []) for request in requests]
        known = [history[history >= 0] for history in histories]
        return [
            Recommendations(self._told(ranked), self.digest, unknown=len(history) - len(understood))
            for ranked, history, understood in zip(
                self._ranked(requests, known), histories, known, strict=True
            )
        ]

    def similar(self, request: SimilarRequest) -> Recommendations:
        """The neighbours of an item.

        Raises:
            DataError: the item is unknown.
        """
        frame = self.bundle.similar_items([str(request.item)], request.k)
        items = self.bundle.vocabulary.encode(frame[SIMILAR]).astype(np.int64)
        return Recommendations(self._told(Ranked(items, frame[SCORE].to_numpy())), self.digest)

    def version(self, recdistill: str) -> Version:
        """What this is, beside the version of the program."""
        info = self.bundle.info
        return Version(
            recdistill, self.digest, info.model.kind, info.dataset.name, info.dataset.items
        )

    def _encode(self, ids: Sequence[str | int]) -> Int32[np.ndarray, " ids"]:
        # As text, whatever they are: a list may mix "50" and 50, which name the same item.
        return self.bundle.vocabulary.encode([str(one) for one in ids])

    def _ranked(
        self, requests: Sequence[RecommendRequest], histories: list[Int32[np.ndarray, "..."]]
    ) -> list[Ranked]:
        """What the model says; requests that differ in nothing but history and length share a pass."""
        found = list[Ranked | None]([None] * len(requests))
        alike: dict[tuple[bool, int], list[int]] = {}
        for row, request in enumerate(requests):
            alone = request.candidates is not None or bool(request.exclude)
            alike.setdefault((request.filter_seen, row if alone else -1), []).append(row)
        for rows in alike.values():
            together = Sequences.from_lists([histories[row].tolist() for row in rows])
            for row, ranked in zip(
                rows, self._pass([requests[row] for row in rows], together), strict=True
            ):
                found[row] = ranked
        return [ranked for ranked in found if ranked is not None]

    def _pass(self, requests: Sequence[RecommendRequest], histories: Sequences) -> list[Ranked]:
        first = requests[0]
        allowed, barred = self._allowed(first), self._encode(first.exclude)
        places = len(self.bundle.vocabulary) if first.candidates is None else len(allowed)
        # The model knows no exclusions: it gives so many more that enough are left.
        wanted = min(max(request.k for request in requests) + len(barred), places)
        if not wanted:
            return [Ranked(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in requests]
        items, scores = self.bundle.runtime.top(
            histories, wanted, filter_seen=first.filter_seen, candidates=allowed
        )
        given = (items >= 0) & ~np.isin(items, barred)
        return [
            Ranked(items[row][given[row]][: request.k], scores[row][given[row]][: request.k])
            for row, request in enumerate(requests)
        ]

    def _allowed(self, request: RecommendRequest) -> Int64[np.ndarray, " candidates"]:
        if request.candidates is None:
            return no_candidates()
        texts = [str(one) for one in request.candidates]
        known = self.bundle.vocabulary.require(texts, "candidate item")
        return np.unique(known).astype(np.int64)

    def _told(self, ranked: Ranked) -> list[Recommended]:
        dense = ranked.items.astype(np.int32)
        ids = self.bundle.vocabulary.decode(dense).to_list()
        titles = [None] * len(ids) if self.titles is None else self.titles.gather(dense).to_list()
        return [
            Recommended(item, score, title)
            for item, score, title in zip(ids, ranked.scores.tolist(), titles, strict=True)
        ]


def open_student(path: Path) -> Student:
    """A bundle, every byte of it checked.

    Raises:
        BundleError: it is none, or damaged.
    """
    return Student(load_bundle(path), path)
