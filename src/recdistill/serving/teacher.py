"""What a teacher said while the student was being made: read from the run, and nobody is asked again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recdistill.data.contexts import history_keys
from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.signals.manifest import DatasetIdentity, Expectation
from recdistill.signals.reader import SignalReader

_EXAMPLES, _SHORTEST, _LONGEST = 12, 3, 12


class Listed(NamedTuple):
    """An item that the teacher named, and how likely it found it."""

    item: str | int
    probability: float


class StoredTeacher:
    """The lists of a teacher, by the very history about which it was asked."""

    def __init__(self, run: Path) -> None:
        """`run`: a folder of `recdistill run`, with `dataset` and `signals`.

        Raises:
            SignalError: it holds no lists of a teacher, or they are of other data.
            DataError: it holds no dataset.
        """
        self._dataset = Dataset.open(run / "dataset")
        identity = DatasetIdentity(name=self._dataset.name, fingerprint=self._dataset.fingerprint)
        self._reader = SignalReader.open(run / "signals" / "top-k", Expectation(dataset=identity))
        self.name = self._reader.manifest.teacher.name

    def said(self, history: Sequence[str | int]) -> list[Listed] | None:
        """The teacher's list about a history, oldest item first; `None` where it was not asked about just this."""
        places = [self._places.get(str(item)) for item in history]
        known = [place for place in places if place is not None]
        if not known or len(known) < len(places):
            return None
        row = self._reader.find(
            history_keys(Sequences.from_lists([known]), self._dataset.item_keys)
        )
        if row[0] < 0:
            return None
        fields, warmth = self._reader.read(row), getattr(self._reader.kind, "temperature", 1.0)
        chances = np.exp(fields["logits"][0].astype(np.float64) / warmth)
        return [
            Listed(self._ids[item], chance)
            for item, chance in zip(fields["items"][0].tolist(), chances.tolist(), strict=True)
        ]

    @cached_property
    def examples(self) -> list[list[str | int]]:
        """Some histories about which it was asked, drawn by lot from training; oldest item first, of nobody by name."""
        train, random = self._dataset.train, np.random.default_rng(0)
        found = list[list[str | int]]()
        for user in random.permutation(len(self._dataset.users)).tolist():
            whole = train.histories[user].tolist()
            length = int(random.integers(_SHORTEST, _LONGEST + 1))
            history = [self._ids[item] for item in whole[:length]]
            if len(history) >= _SHORTEST and self.said(history) is not None:
                found.append(history)
            if len(found) == _EXAMPLES:
                break
        return found

    @cached_property
    def _ids(self) -> list[str | int]:
        return self._dataset.vocabulary.ids.to_list()

    @cached_property
    def _places(self) -> dict[str, int]:
        return {str(one): place for place, one in enumerate(self._ids)}
