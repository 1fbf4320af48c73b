"""Where vectors of items come from, and how they are made ready to be learned from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32
from pydantic import Field

from recdistill.data.dataset import Dataset
from recdistill.progress import SilentProgress
from recdistill.settings import Settings
from recdistill.teachers.features.standards import Standards, permuted
from recdistill.training.options import RunOptions


@dataclass(frozen=True)
class Reading:
    """What a source has of a catalogue.

    Attributes:
        vectors: as they are; rows of items that it has nothing of do not matter.
        known: which items it has something of.
        notes: what reading found out and the settings do not say.
        texts: a hash of the texts that were read; `None` if none were.
        by: who read, where the source learned to read first: what it became.
    """

    vectors: Float32[np.ndarray, "items width"]
    known: Bool[np.ndarray, " items"]
    notes: dict[str, Any] = field(default_factory=dict[str, Any])
    texts: str | None = None
    by: ItemSource | None = None


@dataclass(frozen=True)
class Features:
    """What is learned from.

    Attributes:
        table: one row an item, standardised; zeros for items that the source has nothing of.
        standards: how it was standardised.
        notes: what reading found out.
        texts: a hash of the texts that were read.
        source: whom to ask for more of the same.
    """

    table: Float32[np.ndarray, "items features"]
    standards: Standards
    notes: dict[str, Any]
    texts: str | None
    source: ItemSource


class ItemSource(Settings, ABC):
    """Vectors of items, from wherever a subclass says."""

    whiten: bool = True
    """Whether the vectors' directions are decorrelated and given equal variance before anything learns from them; a
    language model's vectors share one dominant direction, which says nothing."""
    permuted: bool = Field(default=False, exclude_if=lambda given: not given)
    """A control: every item gets the vector of another. What is still known then was not read; a gain that survives
    it was not the content's."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What people call the source."""

    @property
    def besides(self) -> list[str]:
        """Hashes of the files that are read beside the dataset; other content is another source."""
        return []

    def became(self, folder: Path) -> ItemSource:
        """The source as it reads since it learned to, in `folder`; itself, where it learned nothing."""
        return self

    def keep(self, folder: Path) -> None:
        """Write into `folder` what it learned, for a source of the same settings to become; nothing, for most."""

    @abstractmethod
    def read(self, dataset: Dataset, run: RunOptions) -> Reading:
        """What it has of the catalogue of `dataset`.

        Raises:
            DataError: nothing, or nothing that could be used.
        """

    @property
    def name(self) -> str:
        """Its title, and whether its vectors are given to the wrong items."""
        return f"{self.title}{', permuted' if self.permuted else ''}"

    def features(
        self, dataset: Dataset, run: RunOptions, standards: Standards | None = None
    ) -> Features:
        """The catalogue's vectors, standardised: by `standards` of another catalogue, or by their own.

        Raises:
            DataError: there is nothing to read, or it is of another width than the standards.
        """
        reading = self.read(dataset, run)
        known = reading.vectors[reading.known]
        standards = standards or Standards.of(known, whiten=self.whiten)
        table = np.zeros((len(reading.vectors), standards.width), dtype=np.float32)
        table[reading.known] = standards.applied(known)
        notes = dict(reading.notes)
        if self.permuted:
            notes["permuted"] = True
            table = permuted(table)
            (run.progress or SilentProgress()).say(
                f"Control: each of {len(table)} items is given the text or the vector of another"
                " (`permuted: true`). For comparison, not for use."
            )
        return Features(table, standards, notes, reading.texts, reading.by or self)
