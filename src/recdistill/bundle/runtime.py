"""The model and the item table behind one call: ragged histories in, the best items out."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any, Final

import numpy as np
from jaxtyping import Float32, Int64

from recdistill.bundle.scoring.base import Best, Scorer
from recdistill.bundle.scoring.choice import Index, scorer_for
from recdistill.bundle.session import session
from recdistill.bundle.table import Table
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError

INPUTS: Final = ("vectors", "lengths")
OUTPUTS: Final = ("states",)
_VALUES_AT_ONCE: Final = 1 << 22
_ROWS_AT_ONCE: Final = 256


class Runtime:
    """A session on the bytes of a model, and a scorer on the item table. Safe to share between threads, and, with
    one thread, between forked processes.
    """

    def __init__(
        self,
        model: bytes,
        table: Table,
        history: int | None,
        threads: int = 1,
        index: Index | None = None,
    ) -> None:
        """`threads` compute one request; a server that answers many at once does best with one.

        Args:
            model: history vectors -> states.
            table: of the items.
            history: how many of the latest items the model looks at; `None` for none.
            threads: see above.
            index: to find items by; without one all are looked at.

        Raises:
            BundleError: the runtime refuses the model, or it is not one of this format.
            MissingExtraError: ONNX Runtime is not installed.
        """
        self._session = _session(model, threads)
        self._table, self._history = table, history or 0
        self._scorer: Scorer = scorer_for(table, threads, index)
        _require_states(self._session, table)
        values = table.width * max(self._history, 1)
        self._rows_at_once = int(np.clip(_VALUES_AT_ONCE // values, 1, _ROWS_AT_ONCE))

    @property
    def num_items(self) -> int:
        """The size of the catalogue."""
        return len(self._table)

    @property
    def scorer(self) -> Scorer:
        """What finds the best items of a state."""
        return self._scorer

    def over(self, table: Table, scorer: Scorer) -> Runtime:
        """The same model over other items."""
        other = copy(self)
        other._table, other._scorer = table, scorer
        return other

    def top(
        self,
        histories: Sequences,
        k: int,
        *,
        filter_seen: bool,
        candidates: Int64[np.ndarray, " candidates"],
        barred: Sequences | None = None,
    ) -> Best:
        """The `k` best dense items of each history and their scores; -1 and `-inf` where nothing is left to give.

        Args:
            histories: of any length.
            k: at least 1.
            filter_seen: leave out the items of the history.
            candidates: the only items to give, ascending and each once; empty for all.
            barred: a row for each history: items that it must not be given either.

        Raises:
            BundleError: the model answers with what is not finite.
        """
        never = histories if filter_seen else None
        if barred is not None:
            never = barred if never is None else _side_by_side(never, barred)
        allowed = candidates if len(candidates) else None
        items = np.empty((len(histories), k), dtype=np.int64)
        scores = np.empty((len(histories), k), dtype=np.float32)
        for rows, states in self._states(histories):
            off = None if never is None else never.take(rows)
            items[rows], scores[rows] = self._scorer.top(states, k, off, allowed)
        return items, scores

    def states(self, histories: Sequences) -> Float32[np.ndarray, "rows width"]:
        """What the model makes of each history."""
        found = np.empty((len(histories), self._table.width), dtype=np.float32)
        for rows, states in self._states(histories):
            found[rows] = states
        return found

    def _states(
        self, histories: Sequences
    ) -> Iterator[tuple[Int64[np.ndarray, " slice"], Float32[np.ndarray, "slice width"]]]:
        """A few rows at a time, of similar length, so that little is spent on padding."""
        seen = histories.tail(self._history)
        order = np.argsort(seen.lengths, kind="stable")
        for first in range(0, len(order), self._rows_at_once):
            rows = order[first : first + self._rows_at_once]
            yield rows, self._session.run(OUTPUTS, padded(seen.take(rows), self._table))[0]


def padded(histories: Sequences, table: Table) -> dict[str, np.ndarray]:
    """Histories as the model's inputs: `vectors [rows, places, width]`, zero after a row's end, and `lengths`."""
    lengths = histories.lengths
    longest = max(int(lengths.max(initial=1)), 1)
    vectors = np.zeros((len(histories), longest, table.width), dtype=np.float32)
    items = histories.values[histories.places()].astype(np.int64)
    vectors[np.arange(longest) < lengths[:, None]] = table.rows(items)
    return {"vectors": vectors, "lengths": lengths}


def no_candidates() -> Int64[np.ndarray, " none"]:
    """What stands for the whole catalogue."""
    return np.empty(0, dtype=np.int64)


def _side_by_side(one: Sequences, other: Sequences) -> Sequences:
    return Sequences.from_lists(
        [np.concatenate((one[row], other[row])).tolist() for row in range(len(one))]
    )


def _require_states(opened: Any, table: Table) -> None:
    """Ask about somebody new: a model that gives anything but a state fails here, and not under a request."""
    try:
        states = opened.run(OUTPUTS, padded(Sequences.from_lists([[]]), table))[0]
    except Exception as error:
        # The runtime has an exception class a status code, all of them direct children of Exception.
        raise BundleError(f"The model cannot be run: {error}") from None
    if states.shape != (1, table.width) or states.dtype != np.float32:
        raise BundleError(
            f"The model gives {states.dtype} {states.shape}, which is no state of width {table.width}."
        )


def _session(model: bytes, threads: int) -> Any:
    opened = session(model, threads)
    names = tuple(value.name for value in opened.get_inputs())
    outputs = tuple(value.name for value in opened.get_outputs())
    if names != INPUTS or outputs != OUTPUTS:
        raise BundleError(f"The model takes {names} and gives {outputs}: not a bundle's model.")
    return opened
