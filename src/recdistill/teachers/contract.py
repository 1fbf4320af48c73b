"""What a teacher is: something that can be fitted, can say who it is, and can speak about
contexts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
from jaxtyping import Float32

from recdistill.data.contexts import Contexts
from recdistill.data.dataset import Dataset
from recdistill.signals.kinds import SignalKind
from recdistill.signals.manifest import TeacherIdentity
from recdistill.signals.shards import Columns
from recdistill.training.options import RunOptions


class Teacher(Protocol):
    """Anything that can speak about a context."""

    @property
    def says(self) -> frozenset[str]:
        """The names of the kinds of signal it can give."""
        ...

    @property
    def width(self) -> int:
        """Of its vectors; 0 if it has none."""
        ...

    def fit(self, dataset: Dataset, run: RunOptions | None = None) -> Self:
        """Learn from the training events; interrupted, it goes on from `run.folder`."""
        ...

    def identity(self) -> TeacherIdentity:
        """Who speaks; what it says is only ever used together with this."""
        ...

    def speak(self, contexts: Contexts, kinds: Sequence[SignalKind]) -> dict[str, Columns]:
        """What it says about each context: the fields of each kind, by the kind's name.

        The same contexts in the same call get the same answers, bit by bit, whatever was asked
        before and whatever other kinds are asked together.
        """
        ...

    def item_vectors(self) -> Float32[np.ndarray, "items width"]:
        """Its vector of each item of the catalogue."""
        ...
