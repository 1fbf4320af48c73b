"""The item table as a file: a safetensors file of one form, and the vectors that it means. No torch here.

Forms: float32; float16; int8, where an item's vector is its whole numbers times a scale of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Float32, Int8, Int64, Shaped

from recdistill.bundle.manifest import TABLE, Precision
from recdistill.bundle.places import Data
from recdistill.bundle.tensors import KINDS, Layout, read, written
from recdistill.errors import BundleError

_LARGEST: Final = 127
_VALUES: Final[Mapping[Precision, str]] = {"float32": "F32", "float16": "F16", "int8": "I8"}


@dataclass(frozen=True)
class Table:
    """Vectors of all items, in one of the forms."""

    values: Shaped[np.ndarray, "items width"]
    scales: Float32[np.ndarray, " items"] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def width(self) -> int:
        """Of a vector."""
        return self.values.shape[1]

    @property
    def precision(self) -> Precision:
        """The form."""
        return next(form for form, kind in _VALUES.items() if self.values.dtype == KINDS[kind])

    def rows(self, items: Int64[np.ndarray, " chosen"]) -> Float32[np.ndarray, "chosen width"]:
        """The vectors of some items."""
        found = self.values[items].astype(np.float32, copy=False)
        return found if self.scales is None else found * self.scales[items, None]

    @cached_property
    def vectors(self) -> Float32[np.ndarray, "items width"]:
        """The vectors of all items: of the float32 form a view of it, of others a copy that stays."""
        if self.precision == "float32":
            return self.values
        return self.rows(np.arange(len(self)))

    @classmethod
    def of(cls, vectors: Float32[np.ndarray, "items width"], precision: Precision) -> Table:
        """Vectors in a form; int8 takes the scale that each item's largest entry just fits.

        Raises:
            BundleError: they are not finite in that form.
        """
        if precision == "int8":
            table = cls(*_whole(vectors))
        else:
            with np.errstate(over="ignore"):
                table = cls(vectors.astype(KINDS[_VALUES[precision]]))
        return _finite(table)

    def written(self) -> bytes:
        """The content of `table.safetensors`."""
        arrays = {"values": self.values}
        if self.scales is not None:
            arrays["scales"] = self.scales
        return written(arrays, _layout(self.precision, *self.values.shape))

    @classmethod
    def read(cls, data: Data, precision: Precision, items: int, width: int) -> Table:
        """What `written` wrote, as views of `data`: nothing is copied.

        Raises:
            BundleError: it is to the byte no table of that form and size, or not finite.
        """
        arrays = read(data, _layout(precision, items, width), "The item table")
        return _finite(cls(arrays["values"], arrays.get("scales")))


def _whole(
    vectors: Float32[np.ndarray, "items width"],
) -> tuple[Int8[np.ndarray, "items width"], Float32[np.ndarray, " items"]]:
    scales = np.abs(vectors).max(axis=1) / np.float32(_LARGEST)
    divisors = np.where(scales > 0, scales, np.float32(1))[:, None]
    with np.errstate(invalid="ignore"):
        values = np.rint(vectors / divisors)
    # Of numbers so small that their scale is not exact, rounding may leave the range.
    return np.nan_to_num(np.clip(values, -_LARGEST, _LARGEST)).astype(np.int8), scales


def _finite(table: Table) -> Table:
    decisive = table.values if table.scales is None else table.scales
    if not np.isfinite(decisive).all():
        raise BundleError(f"{TABLE}: not all vectors are finite numbers as {table.precision}.")
    return table


def _layout(precision: Precision, items: int, width: int) -> Layout:
    values: Layout = {"values": (_VALUES[precision], (items, width))}
    return {"scales": ("F32", (items,)), **values} if precision == "int8" else values
