"""ONNX Runtime behind one call: ragged histories in, the best items out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from recdistill.bundle.session import session
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError

INPUTS = ("history", "lengths", "filter_seen", "candidates", "k")
OUTPUTS = ("items", "scores")
_SCORES_AT_ONCE = 1 << 22
_ROWS_AT_ONCE = 256


class Runtime:
    """A session on the bytes of a model. Safe to share between threads."""

    def __init__(self, model: bytes, num_items: int, threads: int = 1) -> None:
        """`threads` compute one request; a server that answers many at once does best with one.

        Raises:
            BundleError: the runtime refuses the model, or it is not one of this format.
            MissingExtraError: ONNX Runtime is not installed.
        """
        self._session = _session(model, threads)
        self._rows_at_once = int(np.clip(_SCORES_AT_ONCE // num_items, 1, _ROWS_AT_ONCE))

    def top(
        self,
        histories: Sequences,
        k: int,
        *,
        filter_seen: bool,
        candidates: Int64[np.ndarray, " candidates"],
    ) -> tuple[Int64[np.ndarray, "rows k"], Float32[np.ndarray, "rows k"]]:
        """The `k` best dense items of each history and their scores; -1 and `-inf` where nothing is left to give.

        Args:
            histories: of any length.
            k: at most the size of the catalogue.
            filter_seen: leave out the items of the history.
            candidates: the only items to give; empty for all.
        """
        items = np.empty((len(histories), k), dtype=np.int64)
        scores = np.empty((len(histories), k), dtype=np.float32)
        fixed = {
            "filter_seen": np.array(filter_seen),
            "candidates": candidates,
            "k": np.array([k], dtype=np.int64),
        }
        for rows in self._slices(histories):
            feed = dense(histories.take(rows)) | fixed
            items[rows], scores[rows] = self._session.run(OUTPUTS, feed)
        items[scores == -np.inf] = -1
        return items, scores

    def _slices(self, histories: Sequences) -> Iterator[Int64[np.ndarray, " slice"]]:
        """Rows of similar length, so that little is spent on padding."""
        order = np.argsort(histories.lengths, kind="stable")
        for first in range(0, len(order), self._rows_at_once):
            yield order[first : first + self._rows_at_once]


def dense(histories: Sequences) -> dict[str, Int64[np.ndarray, "..."]]:
    """Histories as the model's inputs: `history` padded on the right with zeros, and `lengths`."""
    lengths = histories.lengths
    longest = max(int(lengths.max(initial=1)), 1)
    padded = np.zeros((len(histories), longest), dtype=np.int64)
    padded[np.arange(longest) < lengths[:, None]] = histories.values[histories.places()]
    return {"history": padded, "lengths": lengths}


def no_candidates() -> Int64[np.ndarray, " none"]:
    """What stands for the whole catalogue."""
    return np.empty(0, dtype=np.int64)


def _session(model: bytes, threads: int) -> Any:
    opened = session(model, threads)
    names = tuple(value.name for value in opened.get_inputs())
    outputs = tuple(value.name for value in opened.get_outputs())
    if sorted(names) != sorted(INPUTS) or outputs != OUTPUTS:
        raise BundleError(f"The model takes {names} and gives {outputs}: not a bundle's model.")
    return opened
