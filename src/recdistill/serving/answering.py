"""From requests to lists: what a bundle is asked, and what it says in the words of the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64
from msgspec.structs import replace

from recdistill.bundle.bundle import Bundle
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.places import Place
from recdistill.bundle.runtime import Runtime
from recdistill.bundle.signing import Trusted
from recdistill.data.sequences import Sequences
from recdistill.errors import DataError, nearest
from recdistill.serving.catalogue import Catalogue
from recdistill.serving.explaining import reasons
from recdistill.serving.messages import (
    Cause,
    Recommendations,
    Recommended,
    RecommendRequest,
    SimilarRequest,
    Version,
)
from recdistill.serving.opened import Opened
from recdistill.serving.popular import Popular, Ranked
from recdistill.serving.rules import NO_RULES, Rules
from recdistill.serving.stock.contract import Entry
from recdistill.serving.stock.overlay import Overlay, overlay

_REMEMBERED = 64
"""Sets of rules whose items are looked up once."""
Allowed = Int64[np.ndarray, " candidates"] | None
"""The only dense items to give, ascending; `None` for all."""


@dataclass(frozen=True)
class Student:
    """A bundle that answers requests. Immutable; whoever holds one gets all of an answer from it.

    Attributes:
        rules: that requests may name.
        stock: what was said of items since the bundle was made.
    """

    bundle: Bundle
    path: Path
    rules: Rules = NO_RULES
    stock: Sequence[Entry] = ()
    opened: Opened | None = None
    """What was made of the bundle before, when it had other rules or items."""

    def dressed(self, rules: Rules, stock: Sequence[Entry]) -> Student:
        """The same bundle with other rules and items.

        Raises:
            ConfigError: a rule is about what the catalogue does not tell.
            BundleError: texts of items cannot be read.
        """
        if rules is self.rules and tuple(stock) == tuple(self.stock):
            return self
        rules.require_columns(self.bundle.items.columns)
        other = Student(self.bundle, self.path, rules, tuple(stock), self.own)
        _ = other.runtime, other.catalogue  # here, and not while somebody waits
        return other

    @cached_property
    def digest(self) -> str:
        """The bundle's name."""
        return self.bundle.info.digest

    @cached_property
    def own(self) -> Opened:
        """What of the bundle stays, whatever items come and go."""
        return self.opened or Opened(self.bundle)

    @cached_property
    def overlay(self) -> Overlay:
        """What the stock means to this bundle."""
        return overlay(self.bundle, self.own.names.places, self.stock)

    @cached_property
    def catalogue(self) -> Catalogue:
        """What items are called."""
        over = self.overlay
        return Catalogue(self.own.names, over.late, over.hidden, over.changed)

    @cached_property
    def runtime(self) -> Runtime:
        """The model over all items."""
        return self.own.runtime(self.overlay)

    @cached_property
    def popular(self) -> Popular | None:
        """What is left where the model has nothing to say; `None` where the bundle does not tell."""
        return Popular.of(self.bundle.items)

    def recommend(self, requests: Sequence[RecommendRequest]) -> list[Recommendations]:
        """A list for each request; one without a `history` is about somebody new. A history of which nothing is
        known gets what is popular.

        Raises:
            UnknownItemError: a candidate is unknown, or was removed.
        """
        known = [self.catalogue.known(request.history or ()) for request in requests]
        ranked = self._ranked(requests, known)
        return [
            self._told(request, ranked[row], known[row])
            if known[row] or not request.history or not self.popular
            else self.fallback(request, "unknown-history")
            for row, request in enumerate(requests)
        ]

    def fallback(self, request: RecommendRequest, cause: Cause) -> Recommendations:
        """What is popular, within what the request allows; nothing where the bundle does not tell.

        Raises:
            UnknownItemError: a candidate is unknown, or was removed.
        """
        known = self.catalogue.known(request.history or ())
        barred = self.catalogue.hidden.union(self.catalogue.known(request.exclude))
        barred = barred.union(known) if request.filter_seen else barred
        popular, allowed = self.popular, self._allowed(request)
        ranked = popular.best(request.k, barred, allowed) if popular else Ranked([], [])
        told = self._told(replace(request, explain=False), ranked, known)
        items = [replace(one, because=[]) for one in told.items] if request.explain else told.items
        return replace(told, items=items, degraded=True, cause=cause)

    def similar(self, request: SimilarRequest) -> Recommendations:
        """The neighbours of an item.

        Raises:
            DataError: the item is unknown.
        """
        item = self.require([request.item], "item")[0]
        ranked = self.own.neighbours(item, request.k, self.overlay)
        return self._listed(ranked)

    def require(self, ids: Iterable[str | int], what: str) -> list[int]:
        """The dense ids of items that may be given.

        Raises:
            UnknownItemError: one is not in the catalogue, or was removed.
        """
        return [self._givable(place, one, what) for place, one in enumerate(ids)]

    def givable(self, request: RecommendRequest, items: Sequence[int]) -> set[int]:
        """Which of some items a request leaves room for.

        Raises:
            UnknownItemError: a candidate is unknown, or was removed.
        """
        allowed = self._allowed(request)
        barred = self.catalogue.hidden.union(self.catalogue.known(request.exclude))
        if request.filter_seen:
            barred = barred.union(self.catalogue.known(request.history or ()))
        left = set(items) - barred
        return left if allowed is None else left.intersection(allowed.tolist())

    def version(self, recdistill: str) -> Version:
        """What this is, beside the version of the program."""
        info = self.bundle.info
        return Version(
            recdistill,
            self.digest,
            info.model.kind,
            info.dataset.name,
            self.catalogue.givable,
            info.model.width,
            list(self.rules.names),
            list(self.rules.context),
        )

    def _givable(self, place: int, one: str | int, what: str) -> int:
        item = self.catalogue.place(one)
        if item is None:
            some = [str(raw) for raw in self.own.names.ids[:50_000]]
            hint = nearest(str(one), some).split(" Valid:")[0]
            raise UnknownItemError(place, f"Unknown {what} id '{one}'.", hint)
        if item in self.catalogue.hidden:
            raise UnknownItemError(place, f"The {what} '{one}' was removed.")
        return item

    def _ranked(
        self, requests: Sequence[RecommendRequest], histories: Sequence[list[int]]
    ) -> list[Ranked]:
        """What the model says; requests that may be given the same items share a pass."""
        alike: dict[object, list[int]] = {}
        for row, request in enumerate(requests):
            alone = row if request.candidates is not None else -1
            alike.setdefault((request.filter_seen, self._holding(request), alone), []).append(row)
        found: dict[int, Ranked] = {}
        for rows in alike.values():
            together = Sequences.from_lists([histories[row] for row in rows])
            ranked = self._pass([requests[row] for row in rows], together)
            found |= dict(zip(rows, ranked, strict=True))
        return [found[row] for row in range(len(requests))]

    def _pass(self, requests: Sequence[RecommendRequest], histories: Sequences) -> list[Ranked]:
        allowed = self._allowed(requests[0])
        if allowed is not None and not len(allowed):
            return [Ranked([], []) for _ in requests]
        excluded = [self.catalogue.known(request.exclude) for request in requests]
        items, scores = self.runtime.top(
            histories,
            min(max(request.k for request in requests), len(self.catalogue)),
            filter_seen=requests[0].filter_seen,
            candidates=np.empty(0, np.int64) if allowed is None else allowed,
            barred=Sequences.from_lists(excluded) if any(excluded) else None,
        )
        return [
            _whole(items[row][: request.k], scores[row][: request.k])
            for row, request in enumerate(requests)
        ]

    def _holding(self, request: RecommendRequest) -> frozenset[str]:
        return self.rules.holding(request.rules, request.context)

    def _allowed(self, request: RecommendRequest) -> Allowed:
        """What the candidates and the rules of a request leave."""
        holding = self._holding(request)
        passed = self._let_through(holding) if holding else None
        if request.candidates is None:
            return passed
        wanted = self.require(request.candidates, "candidate item")
        known = np.unique(np.array(wanted, dtype=np.int64))
        return known if passed is None else np.intersect1d(known, passed)

    def _let_through(self, holding: frozenset[str]) -> Int64[np.ndarray, " items"]:
        passed = self._passed.get(holding)
        if passed is None:
            passed = self.own.let_through(self.rules, holding, self.catalogue)
            if len(self._passed) < _REMEMBERED:
                self._passed[holding] = passed
        return passed

    @cached_property
    def _passed(self) -> dict[frozenset[str], Int64[np.ndarray, " items"]]:
        """What rules let through, as far as it was asked."""
        return {}

    def _told(
        self, request: RecommendRequest, ranked: Ranked, history: list[int]
    ) -> Recommendations:
        told = self._listed(ranked, len(request.history or ()) - len(history))
        if not request.explain:
            return told
        because = reasons(self.runtime, self.catalogue, history, ranked.items, self.own.sight)
        said = self.own.said(history, ranked.items)
        items = [
            replace(one, because=gains, said=text)
            for one, gains, text in zip(told.items, because, said, strict=True)
        ]
        return replace(told, items=items)

    def _listed(self, ranked: Ranked, unknown: int = 0) -> Recommendations:
        raw, title = self.catalogue.raw, self.catalogue.title
        items = [
            Recommended(raw(item), score, title(item))
            for item, score in zip(ranked.items, ranked.scores, strict=True)
        ]
        return Recommendations(items, self.digest, unknown)


class UnknownItemError(DataError):
    """An item that cannot be given was asked for."""

    def __init__(self, place: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.place = place
        """Which of those asked for."""


def _whole(items: Int64[np.ndarray, " k"], scores: Float32[np.ndarray, " k"]) -> Ranked:
    """A list, which ends where the model has no more."""
    given = items >= 0
    return Ranked(items[given].tolist(), scores[given].tolist())


def open_student(path: Path, place: Place | None = None, trusted: Trusted | None = None) -> Student:
    """A bundle, every byte of it checked; `place` is where its files are read, if not there.

    Raises:
        BundleError: it is none, or damaged, or signed by nobody who is trusted.
    """
    return Student(load_bundle(place or path, trusted_keys=trusted), path)
