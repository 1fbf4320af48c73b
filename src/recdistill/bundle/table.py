"""The item table as a file: a safetensors file of one form, and the vectors that it means. No torch here.

Forms: float32; float16; int8, where an item's vector is its whole numbers times a scale of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from jaxtyping import Float32, Int8, Int64, Shaped

from recdistill.bundle.manifest import TABLE, Precision
from recdistill.bundle.places import Data
from recdistill.errors import BundleError

_LARGEST: Final = 127
_VALUES: Final[Mapping[Precision, tuple[str, str]]] = {
    "float32": ("F32", "<f4"),
    "float16": ("F16", "<f2"),
    "int8": ("I8", "i1"),
}
_Layout = dict[str, tuple[str, str, tuple[int, ...]]]


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
        return next(form for form, (_, kind) in _VALUES.items() if self.values.dtype == kind)

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
                table = cls(vectors.astype(_VALUES[precision][1]))
        return _finite(table)

    def written(self) -> bytes:
        """The content of `table.safetensors`."""
        arrays = {"values": self.values, "scales": self.scales}
        layout = _layout(self.precision, *self.values.shape)
        parts = [np.asarray(arrays[name], kind).tobytes() for name, (_, kind, _) in layout.items()]
        return _header(layout) + b"".join(parts)

    @classmethod
    def read(cls, data: Data, precision: Precision, items: int, width: int) -> Table:
        """What `written` wrote, as views of `data`: nothing is copied.

        Raises:
            BundleError: it is to the byte no table of that form and size, or not finite.
        """
        layout = _layout(precision, items, width)
        header, arrays = _header(layout), dict[str, np.ndarray]()
        place = len(header)
        if data[:place] != header or len(data) != place + sum(map(_size, layout.values())):
            raise BundleError(
                "The item table does not fit the catalogue.", "Export the bundle again."
            )
        for name, entry in layout.items():
            array = np.frombuffer(data, entry[1], int(np.prod(entry[2])), place)
            arrays[name], place = array.reshape(entry[2]), place + _size(entry)
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


def _layout(precision: Precision, items: int, width: int) -> _Layout:
    """Tensors in the order of their data: name -> type in the file, type in memory, shape."""
    named, kind = _VALUES[precision]
    values: _Layout = {"values": (named, kind, (items, width))}
    return {"scales": ("F32", "<f4", (items,)), **values} if precision == "int8" else values


def _size(entry: tuple[str, str, tuple[int, ...]]) -> int:
    return int(np.prod(entry[2])) * np.dtype(entry[1]).itemsize


def _header(layout: _Layout) -> bytes:
    """Eight bytes of length and a JSON header, so long that the data are aligned."""
    described, place = dict[str, Any](), 0
    for name, entry in layout.items():
        offsets = [place, place := place + _size(entry)]
        described[name] = {"dtype": entry[0], "shape": entry[2], "data_offsets": offsets}
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
