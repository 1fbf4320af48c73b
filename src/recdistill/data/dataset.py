"""What training may see. What it may not see is not here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt64

from recdistill.data.cases import Cases as Cases  # part of the dataset's face
from recdistill.data.contexts import Contexts
from recdistill.data.encoding import id_keys
from recdistill.data.interactions import Interactions
from recdistill.data.items import Items
from recdistill.data.layout import read_manifest
from recdistill.data.sequences import Sequences
from recdistill.data.splits import SplitManifest
from recdistill.data.vocabulary import Vocabulary


@dataclass(frozen=True)
class Dataset:
    """Training interactions, validation cases and the catalogue.

    Test interactions are not reachable from here: they lie in a file of their own that only
    `recdistill.data.holdout` opens, and only the evaluation room and the pipeline import that
    module (an architecture test keeps it so).

    Attributes:
        name: how reports call it.
        users: raw user ids; `train` and `valid` use the dense ones.
        vocabulary: raw item ids; every array of items uses the dense ones.
        items: what the items are; row `i` describes dense item `i`.
        train: the events before the validation cut.
        valid: cases for selection and early stopping.
        split: how train, validation and test were cut.
        fingerprint: a hash of all of the above; signals and checkpoints are tied to it.
        folder: where it lies on disk.
    """

    name: str
    users: Vocabulary
    vocabulary: Vocabulary
    items: Items
    train: Interactions
    valid: Cases
    split: SplitManifest
    fingerprint: str
    folder: Path

    @property
    def num_items(self) -> int:
        """The size of the catalogue."""
        return len(self.vocabulary)

    @cached_property
    def item_keys(self) -> UInt64[np.ndarray, " items"]:
        """A 64-bit hash of each item's raw id, the letters from which context keys are spelled."""
        return id_keys(self.vocabulary.ids)

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """How the dataset came about: what was read, dropped and counted (`manifest.json`)."""
        return read_manifest(self.folder)

    @classmethod
    def open(cls, folder: Path | str) -> Dataset:
        """Open a prepared dataset.

        Raises:
            DataError: the folder is no prepared dataset, or its files are damaged.
        """
        from recdistill.data.reading import read_dataset

        return read_dataset(Path(folder))

    def contexts(self) -> Contexts:
        """One context for each training event: the user's history up to and including that event.

        Row `e` belongs to event `e` of `train`; `Batch.events` points here.
        """
        events = np.arange(len(self.train), dtype=np.int64)
        starts = np.repeat(self.train.offsets[:-1], np.diff(self.train.offsets))
        return Contexts.of(Sequences(self.train.items, starts, events + 1), self.item_keys)
