"""Arrays in a safetensors file of which all but the numbers is known before it is read. No torch here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from jaxtyping import Shaped

from recdistill.bundle.places import Data
from recdistill.errors import BundleError

KINDS: Final[Mapping[str, str]] = {"F32": "<f4", "F16": "<f2", "I8": "i1", "U8": "u1"}
"""Names of types in the file, and what they are in memory."""
Layout = Mapping[str, tuple[str, tuple[int, ...]]]
"""Arrays in the order of their data: name -> type in the file, shape."""


def written(arrays: Mapping[str, Shaped[np.ndarray, "*any"]], layout: Layout) -> bytes:
    """The bytes of the file."""
    parts = [np.asarray(arrays[name], KINDS[kind]).tobytes() for name, (kind, _) in layout.items()]
    return _header(layout) + b"".join(parts)


def read(data: Data, layout: Layout, what: str) -> dict[str, Shaped[np.ndarray, "*any"]]:
    """What `written` wrote, as views of `data`: nothing is copied.

    Raises:
        BundleError: it is to the byte no file of that layout; `what` begins the message.
    """
    header, arrays = _header(layout), dict[str, np.ndarray]()
    place = len(header)
    if data[:place] != header or len(data) != place + sum(map(_size, layout.values())):
        raise BundleError(f"{what} does not fit the catalogue.", "Export the bundle again.")
    for name, entry in layout.items():
        kind, shape = entry
        array = np.frombuffer(data, KINDS[kind], math.prod(shape), place)
        arrays[name], place = array.reshape(shape), place + _size(entry)
    return arrays


def _size(entry: tuple[str, tuple[int, ...]]) -> int:
    # In numbers without end: a manifest may say any width.
    return math.prod(entry[1]) * np.dtype(KINDS[entry[0]]).itemsize


def _header(layout: Layout) -> bytes:
    """Eight bytes of length and a JSON header, so long that the data are aligned."""
    described, place = dict[str, Any](), 0
    for name, entry in layout.items():
        offsets = [place, place := place + _size(entry)]
        described[name] = {"dtype": entry[0], "shape": entry[1], "data_offsets": offsets}
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
