"""A bundle together with what came, changed or went since: the same model over a longer table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from recdistill.bundle.bundle import Bundle
from recdistill.errors import BundleError
from recdistill.serving.stock.contract import Entry
from recdistill.serving.stock.texts import encoder_of


@dataclass(frozen=True)
class Overlay:
    """What entries mean to a bundle.

    Attributes:
        late: entries with a vector, beside `vectors`.
        hidden: dense items of the bundle that are not given any more.
        changed: entries about items of the bundle that keep their vectors.
        waiting: how many have no vector that this bundle could use.
    """

    late: tuple[Entry, ...]
    vectors: Float32[np.ndarray, "late width"]
    hidden: frozenset[int]
    changed: Mapping[int, Entry]
    waiting: int


def overlay(bundle: Bundle, places: Mapping[str, int], entries: Sequence[Entry]) -> Overlay:
    """What `entries` mean to `bundle`, whose items lie at `places`.

    A removed item stays removed in every bundle. What was said of an item counts until a bundle of another model
    brings the item itself: that has learned what it is like. Vectors are understood by the model for which they were
    given; texts are read, and likenesses taken, anew for every bundle.

    Raises:
        BundleError: the bundle's text encoder gives what is no vector.
    """
    weights = bundle.info.model.weights
    heard = [e for e in entries if e.gone or e.item not in places or e.weights == weights]
    read = _read(bundle, [e for e in heard if e.text is not None and not e.gone])
    late, vectors = list[Entry](), list[Float32[np.ndarray, " width"]]()
    hidden, changed, waiting = set[int](), dict[int, Entry](), 0
    for entry in heard:
        place = places.get(entry.item)
        vector = None if entry.gone else _vector(bundle, places, entry, read)
        if vector is not None:
            late.append(entry)
            vectors.append(vector)
        elif place is None:
            waiting += not entry.gone
        elif not entry.gone:
            changed[place] = entry
        if place is not None and (entry.gone or vector is not None):
            hidden.add(place)
    table = np.array(vectors, np.float32).reshape(len(late), bundle.info.model.width)
    return Overlay(tuple(late), table, frozenset(hidden), changed, waiting)


def _vector(
    bundle: Bundle,
    places: Mapping[str, int],
    entry: Entry,
    read: Mapping[str, Float32[np.ndarray, " width"]],
) -> Float32[np.ndarray, " width"] | None:
    """The vector of an entry in this bundle's space; `None` where it says none."""
    if entry.vector is not None:
        right = entry.weights == bundle.info.model.weights
        return np.array(entry.vector, np.float32) if right else None
    if entry.like:
        alike = [places[item] for item in entry.like if item in places]
        found = bundle.table.rows(np.array(alike, np.int64))
        return found.mean(axis=0, dtype=np.float64).astype(np.float32) if alike else None
    return read.get(entry.item)


def _read(bundle: Bundle, entries: Sequence[Entry]) -> Mapping[str, Float32[np.ndarray, " width"]]:
    """Vectors of texts, by item."""
    encode = encoder_of(bundle)
    if encode is None or not entries:
        return {}
    vectors = encode([entry.text or "" for entry in entries])
    if vectors.shape != (len(entries), bundle.info.model.width) or not np.isfinite(vectors).all():
        raise BundleError("The bundle's text encoder gives what is no vector of an item.")
    return {entry.item: vector for entry, vector in zip(entries, vectors, strict=True)}
