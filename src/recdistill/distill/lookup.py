"""What the teacher said about each training event or item, found once and read when a batch wants
it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt64
from torch import Tensor

from recdistill.data.dataset import Dataset
from recdistill.distill.places import Signal
from recdistill.errors import SignalError
from recdistill.signals import Signals
from recdistill.signals.kinds import SignalKind
from recdistill.signals.reader import SignalReader

_ABOUT_ITEMS = frozenset({"item-vectors"})
"""Kinds of signal keyed by item; all others are keyed by context."""

_MANY = 0.03
"""A greater share of subjects without a signal is worth a warning."""

_log = logging.getLogger(__name__)


class Lookup:
    """One kind of signal, by training event or by item instead of by key.

    Attributes:
        name: of the kind.
        rows: the stored row of each subject, -1 where the teacher said nothing; one more -1 stands
            at the end, so that subject -1 (an unknown event) is a subject without a signal.
    """

    def __init__(
        self, name: str, reader: SignalReader, keys: UInt64[np.ndarray, " subjects"]
    ) -> None:
        self.name = name
        self.rows = np.append(reader.find(keys), -1)
        self._reader = reader

    @property
    def kind(self) -> SignalKind:
        """The kind of signal with its settings."""
        return self._reader.manifest.kind

    @property
    def about_items(self) -> bool:
        """Whether subjects are items; otherwise they are training events."""
        return self.name in _ABOUT_ITEMS

    @property
    def known(self) -> Int64[np.ndarray, " known"]:
        """The subjects about which the teacher said something."""
        return np.flatnonzero(self.rows >= 0)

    def has(self, subjects: Int64[np.ndarray, " subjects"]) -> Bool[np.ndarray, " subjects"]:
        """Whether the teacher said something about each."""
        return self.rows[subjects] >= 0

    def read(
        self, subjects: Int64[np.ndarray, " subjects"], device: torch.device | str = "cpu"
    ) -> Signal:
        """What was said; where nothing was, the fields of some other subject."""
        rows = self.rows[subjects]
        if len(rows) and rows.min() < 0:
            rows = np.where(rows < 0, self.rows[self.known[0]], rows)
        return {name: _tensor(field, device) for name, field in self._reader.read(rows).items()}

    def sample(self, count: int) -> Signal:
        """The fields of up to `count` known subjects, spread evenly."""
        known = self.known
        return self.read(known[:: max(1, -(-len(known) // count))])

    def report(self) -> None:
        """Log how many subjects lack a signal; warn of many.

        Raises:
            SignalError: all lack one.
        """
        subjects = len(self.rows) - 1
        missing = subjects - len(self.known)
        what = "items" if self.about_items else "training contexts"
        if missing == subjects:
            raise SignalError(
                f"The '{self.name}' signals speak about none of the {subjects:,} {what}.",
                "They were made for other data, or the raw ids have changed; label this dataset.",
            )
        level = logging.WARNING if missing > _MANY * subjects else logging.INFO
        if missing:
            _log.log(
                level,
                "'%s' is missing for %s of %s %s (%.1f %%); they count for the other terms only.",
                self.name,
                f"{missing:,}",
                f"{subjects:,}",
                what,
                100 * missing / subjects,
            )


def lookups(signals: Signals, dataset: Dataset, kinds: Iterable[str]) -> dict[str, Lookup]:
    """The lookup of each of `kinds`, with what is missing reported.

    Raises:
        SignalError: a kind is not there, or speaks about nothing of this dataset.
    """
    kinds = sorted(kinds)
    about_contexts = any(kind not in _ABOUT_ITEMS for kind in kinds)
    keys = dataset.contexts().keys if about_contexts else dataset.item_keys
    found = {
        kind: Lookup(kind, signals[kind], dataset.item_keys if kind in _ABOUT_ITEMS else keys)
        for kind in kinds
    }
    for lookup in found.values():
        lookup.report()
    return found


def _tensor(field: np.ndarray, device: torch.device | str) -> Tensor:
    tensor = torch.from_numpy(field)
    return tensor.to(device, torch.int64 if field.dtype == np.int32 else tensor.dtype)
