"""What was said before, taken over: a log has grown, and what is known of its contexts is not asked again.

Contexts are keyed by the raw ids of their items, so a context has the same key in the larger log; only the dense ids
inside its lists have moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int64, UInt64

from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import SignalError
from recdistill.signals.collection import Signals
from recdistill.signals.manifest import Carried, SignalManifest
from recdistill.signals.reader import SignalReader
from recdistill.signals.shards import Columns
from recdistill.signals.writer import SignalWriter

_ROWS = 65_536
_ITEMS = "items"
"""The field that holds dense ids."""

Keys = UInt64[np.ndarray, "_"]


@dataclass(frozen=True)
class Former:
    """Signals about a smaller log, as the larger one reads them.

    Attributes:
        signals: what was said.
        places: the dense id, now, of each item of the former catalogue; -1 where it is gone.
    """

    signals: Signals
    places: Int64[np.ndarray, " former_items"]

    @classmethod
    def of(cls, signals: Signals, former: Vocabulary, now: Vocabulary) -> Former:
        """`signals` about the items of `former`, for the catalogue of `now`."""
        return cls(signals, now.encode(former.ids).astype(np.int64))

    def known(self, keys: Keys, wanted: Sequence[SignalManifest]) -> Keys:
        """Those contexts about which all was said that is `wanted`, and nothing about items that are gone.

        Args:
            keys: of the contexts there are now.
            wanted: of each kind, what is to be stored now.

        Raises:
            SignalError: a kind was not asked for then, or with other settings, or its rows have another form.
        """
        kept = np.full(len(keys), bool(wanted))
        for manifest in wanted:
            reader = self._reader(manifest)
            rows = reader.find(keys)
            kept &= rows >= 0
            kept[kept] = self._still_there(reader, rows[kept])
        return keys[kept]

    def credited(self, manifest: SignalManifest, known: Keys) -> SignalManifest:
        """`manifest` with who said the rows of the `known` contexts: those of a store that took over rows itself may
        go back several generations."""
        reader = self._reader(manifest)
        theirs = reader.manifest
        rows = np.sort(reader.find(known))
        own = Carried(teacher=theirs.teacher, dataset=theirs.dataset, rows=theirs.asked)
        parts = (*theirs.carried, own)
        ends = np.searchsorted(rows, np.cumsum([0, *(part.rows for part in parts)]))
        carried = [
            part.model_copy(update={"rows": int(last - first)})
            for part, (first, last) in zip(parts, pairwise(ends), strict=True)
            if last > first
        ]
        return manifest.model_copy(update={"carried": tuple(carried)})

    def carry(self, known: Keys, writer: SignalWriter) -> None:
        """Append what was said about the `known` contexts, in the order of the former rows, in shards of their own.

        Interrupted and called again, it goes on.

        Raises:
            StorageError: the disk refused.
        """
        reader = self._reader(writer.manifest)
        stored = reader.keys[np.sort(reader.find(known))]
        left = stored[writer.absent(stored)]
        for start in range(0, len(left), _ROWS):
            keys = left[start : start + _ROWS]
            writer.append(keys, self._moved(reader.read(reader.find(keys))))
        writer.flush()

    def _reader(self, manifest: SignalManifest) -> SignalReader:
        name = manifest.kind.kind
        reader = self.signals[name]
        theirs = reader.manifest
        for what, was, now in (
            ("asked for with other settings", theirs.kind, manifest.kind),
            ("stored in another form", theirs.fields, manifest.fields),
        ):
            if was != now:
                raise SignalError(
                    f"'{name}' was {what} then, so what was said cannot be taken over: {was} was, {now} is wanted.",
                    "Ask for what was asked for before, or ask about everything anew.",
                )
        return reader

    def _still_there(
        self, reader: SignalReader, rows: Int64[np.ndarray, " rows"]
    ) -> Bool[np.ndarray, " rows"]:
        """Whether all items that each row lists are still in the catalogue."""
        fields = [field.name for field in reader.manifest.fields]
        if _ITEMS not in fields or (self.places >= 0).all():
            return np.ones(len(rows), dtype=bool)
        parts = [
            (self.places[read[_ITEMS].reshape(len(read[_ITEMS]), -1)] >= 0).all(axis=1)
            for read in _blocks(reader, rows)
        ]
        return np.concatenate([np.empty(0, dtype=bool), *parts])

    def _moved(self, columns: Columns) -> Columns:
        """The same rows with the dense ids of now."""
        if _ITEMS not in columns:
            return columns
        return {**columns, _ITEMS: self.places[columns[_ITEMS]].astype(np.int32)}


def _blocks(reader: SignalReader, rows: Int64[np.ndarray, " rows"]) -> Iterator[Columns]:
    for start in range(0, len(rows), _ROWS):
        yield reader.read(rows[start : start + _ROWS])
