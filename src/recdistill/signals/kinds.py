"""The kinds of signal, and the fixed-width fields of which each consists."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from recdistill.settings import Settings


class FieldSpec(Settings):
    """One column of a signal: every row holds an array of this type and shape."""

    name: str
    dtype: Literal["int32", "float16", "float32"]
    """As stored; readers widen float16 to float32, since arithmetic in half precision is nobody's
    intention."""
    shape: tuple[PositiveInt, ...] = ()

    @property
    def row_bytes(self) -> int:
        """Bytes a row takes on disk."""
        return np.dtype(self.dtype).itemsize * int(np.prod(self.shape, dtype=np.int64))


class TopK(Settings):
    """The teacher's best items of a context, and how much it believes in each.

    Fields, for the `k` items of the highest scores z (all of them in a smaller catalogue):

    - `items`: dense ids, the best first; ties go to the smaller id.
    - `logits`: z − T·log Z, with log Z = log Σ_i exp(z_i / T) over the whole catalogue at the
      stored temperature T. So `logits / T` are log-probabilities, and dividing by another
      temperature is as valid as it is for the raw scores, from which they differ by a constant of
      the row. Stored in half precision: that moves a log-probability by at most one part in 2,048
      of itself.
    - `rest`: log Σ exp((z_i − T·log Z) / T) over the items not listed: the log of the probability
      that the list leaves out; −inf when it leaves out nothing.
    """

    kind: Literal["top-k"] = "top-k"
    k: PositiveInt = 100
    temperature: PositiveFloat = 1.0
    """At which `rest` is summed."""

    def fields(self, items: int, width: int) -> tuple[FieldSpec, ...]:
        """The columns, for a catalogue of `items`."""
        k = min(self.k, items)
        return (
            FieldSpec(name="items", dtype="int32", shape=(k,)),
            FieldSpec(name="logits", dtype="float16", shape=(k,)),
            FieldSpec(name="rest", dtype="float32"),
        )


class ItemVectors(Settings):
    """The teacher's vector of each item; keyed by item (`Dataset.item_keys`). Field `vectors`."""

    kind: Literal["item-vectors"] = "item-vectors"

    def fields(self, items: int, width: int) -> tuple[FieldSpec, ...]:
        """The columns, for a teacher of `width`."""
        return (FieldSpec(name="vectors", dtype="float32", shape=(width,)),)


class UserVectors(Settings):
    """The teacher's state after each context. Field `vectors`."""

    kind: Literal["user-vectors"] = "user-vectors"

    def fields(self, items: int, width: int) -> tuple[FieldSpec, ...]:
        """The columns, for a teacher of `width`."""
        return (FieldSpec(name="vectors", dtype="float16", shape=(width,)),)


class HardLabel(Settings):
    """The one item that the teacher would choose (`items`) and the probability it gives it
    (`confidence`)."""

    kind: Literal["hard-label"] = "hard-label"

    def fields(self, items: int, width: int) -> tuple[FieldSpec, ...]:
        """The columns."""
        return (
            FieldSpec(name="items", dtype="int32"),
            FieldSpec(name="confidence", dtype="float32"),
        )


SignalKind = Annotated[TopK | ItemVectors | UserVectors | HardLabel, Field(discriminator="kind")]
"""Any kind of signal; configurations choose it by `kind`."""

KINDS = ("top-k", "item-vectors", "user-vectors", "hard-label")
"""The names of all kinds."""
