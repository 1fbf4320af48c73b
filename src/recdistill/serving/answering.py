"""From requests to lists: what a bundle is asked, and what it says in the words of the wire."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from msgspec.structs import replace

from recdistill.bundle.bundle import SIMILAR, Bundle
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.places import Place
from recdistill.bundle.runtime import no_candidates
from recdistill.data.columns import SCORE
from recdistill.data.sequences import Sequences
from recdistill.serving.catalogue import Catalogue
from recdistill.serving.explaining import leave_one_out
from recdistill.serving.messages import (
    Cause,
    Reason,
    Recommendations,
    Recommended,
    RecommendRequest,
    SimilarRequest,
    Version,
)
from recdistill.serving.popular import Popular, Ranked

_REASONS, _EXPLAINED = 3, 200
"""Reasons given for an item, and the latest events that are looked at."""


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
    def catalogue(self) -> Catalogue:
        """What its items are called."""
        return Catalogue(self.bundle.items)

    @cached_property
    def popular(self) -> Popular | None:
        """What is left where the model has nothing to say; `None` where the bundle does not tell."""
        return Popular.of(self.bundle.items)

    def recommend(self, requests: Sequence[RecommendRequest]) -> list[Recommendations]:
        """A list for each request; one without a `history` is about somebody new. A history of which nothing is
        known gets what is popular.

        Raises:
            DataError: a candidate is unknown.
        """
        known = [self.catalogue.known(request.history or ()) for request in requests]
        ranked = self._ranked(requests, known)
        return [
            self._told(
                ranked[row],
                len(request.history or ()) - len(known[row]),
                self._reasons(ranked[row], known[row]) if request.explain else None,
            )
            if known[row] or not request.history or not self.popular
            else self.fallback(request, "unknown-history")
            for row, request in enumerate(requests)
        ]

    def fallback(self, request: RecommendRequest, cause: Cause) -> Recommendations:
        """What is popular, within what the request allows; nothing where the bundle does not tell.

        Raises:
            DataError: a candidate is unknown.
        """
        known = self.catalogue.known(request.history or ())
        barred = {*self.catalogue.known(request.exclude), *(known if request.filter_seen else ())}
        allowed = None if request.candidates is None else self._allowed(request)
        popular = self.popular
        ranked = popular.best(request.k, barred, allowed) if popular else Ranked([], [])
        told = self._told(
            ranked,
            len(request.history or ()) - len(known),
            [[] for _ in ranked.items] if request.explain else None,
        )
        return replace(told, degraded=True, cause=cause)

    def similar(self, request: SimilarRequest) -> Recommendations:
        """The neighbours of an item.

        Raises:
            DataError: the item is unknown.
        """
        frame = self.bundle.similar_items([str(request.item)], request.k)
        items = self.catalogue.known(frame[SIMILAR])
        return self._told(Ranked(items, frame[SCORE].to_list()), 0)

    def version(self, recdistill: str) -> Version:
        """What this is, beside the version of the program."""
        info = self.bundle.info
        return Version(
            recdistill, self.digest, info.model.kind, info.dataset.name, info.dataset.items
        )

    def _ranked(
        self, requests: Sequence[RecommendRequest], histories: Sequence[list[int]]
    ) -> list[Ranked]:
        """What the model says; requests that differ in nothing but history and length share a pass."""
        alike: dict[tuple[bool, int], list[int]] = {}
        for row, request in enumerate(requests):
            alone = request.candidates is not None or bool(request.exclude)
            alike.setdefault((request.filter_seen, row if alone else -1), []).append(row)
        found: dict[int, Ranked] = {}
        for rows in alike.values():
            together = Sequences.from_lists([histories[row] for row in rows])
            ranked = self._pass([requests[row] for row in rows], together)
            found |= dict(zip(rows, ranked, strict=True))
        return [found[row] for row in range(len(requests))]

    def _pass(self, requests: Sequence[RecommendRequest], histories: Sequences) -> list[Ranked]:
        first = requests[0]
        allowed, barred = self._allowed(first), set(self.catalogue.known(first.exclude))
        places = len(self.catalogue.ids) if first.candidates is None else len(allowed)
        # The model knows no exclusions: it gives so many more that enough are left.
        wanted = min(max(request.k for request in requests) + len(barred), places)
        if not wanted:
            return [Ranked([], []) for _ in requests]
        items, scores = self.bundle.runtime.top(
            histories, wanted, filter_seen=first.filter_seen, candidates=allowed
        )
        return [
            _without(barred, items[row].tolist(), scores[row].tolist(), request.k)
            for row, request in enumerate(requests)
        ]

    def _allowed(self, request: RecommendRequest) -> Int64[np.ndarray, " candidates"]:
        if request.candidates is None:
            return no_candidates()
        known = self.catalogue.known(request.candidates)
        if len(known) < len(request.candidates):
            # Says which one, and which it may have meant.
            texts = [str(one) for one in request.candidates]
            self.bundle.vocabulary.require(texts, "candidate item")
        return np.unique(np.array(known, dtype=np.int64))

    def _reasons(self, ranked: Ranked, history: list[int]) -> list[list[Reason]]:
        """For each item, the events of what the model sees of a history that raise its score most."""
        seen = history[-(self.bundle.info.model.history or _EXPLAINED) :][-_EXPLAINED:]
        if not seen or not ranked.items:
            return [[] for _ in ranked.items]
        gains = leave_one_out(self.bundle.runtime, seen, ranked.items)
        ids, titles = self.catalogue.ids, self.catalogue.titles
        return [
            [
                Reason(ids[seen[place]], float(gain[place]), titles[seen[place]])
                for place in np.argsort(-gain, kind="stable")[:_REASONS].tolist()
                if gain[place] > 0
            ]
            for gain in gains.T
        ]

    def _told(
        self, ranked: Ranked, unknown: int, reasons: list[list[Reason]] | None = None
    ) -> Recommendations:
        ids, titles = self.catalogue.ids, self.catalogue.titles
        items = [
            Recommended(ids[item], score, titles[item], reasons[place] if reasons else None)
            for place, (item, score) in enumerate(zip(ranked.items, ranked.scores, strict=True))
        ]
        return Recommendations(items, self.digest, unknown)


def _without(barred: Collection[int], items: list[int], scores: list[float], k: int) -> Ranked:
    """The first `k` that may be given; a list ends where the model has no more."""
    given = [place for place, item in enumerate(items) if item >= 0 and item not in barred][:k]
    return Ranked([items[place] for place in given], [scores[place] for place in given])


def open_student(path: Path, place: Place | None = None) -> Student:
    """A bundle, every byte of it checked; `place` is where its files are read, if not there.

    Raises:
        BundleError: it is none, or damaged.
    """
    return Student(load_bundle(place or path), path)
