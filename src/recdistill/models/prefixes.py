"""The states of many histories by few passes: prefixes of one history are states on the way through the whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.data.batches import pack
from recdistill.data.sequences import Sequences
from recdistill.models.recommender import SequenceModel
from recdistill.training.step import TorchBatch

_POSITIONS_AT_ONCE = 16_384
_MEMORY = 0.02  # of the running mean of states, per step


@torch.no_grad()
def states(
    model: SequenceModel, histories: Sequences, start: Float[Tensor, " width"]
) -> Float[Tensor, "rows width"]:
    """What a causal model knows after each history, and `start` where there is none.

    The state after a prefix is a state on the way through the whole: prefixes of one history, as labelling and
    successive evaluation ask about them, cost no more than the longest.
    """
    network, training = model.network, model.network.training
    table, seen = model.item_table(), histories.tail(model.history)
    found = start.repeat(len(seen), 1)
    network.eval()
    for spans, rows, places in _passes(seen):
        batch = TorchBatch.of(pack(spans)[0], found.device)
        after = model.encode(batch, table)[torch.from_numpy(places).to(found.device)]
        found[torch.from_numpy(rows).to(found.device)] = after
    network.train(training)
    return found


@torch.no_grad()
def remember(start: Float[Tensor, " width"], states: Float[Tensor, "positions width"]) -> None:
    """Keep in `start` a running mean of the states, the best guess for whom nothing is known of."""
    start.lerp_(states.mean(0).to(start.dtype), _MEMORY)


def _passes(
    histories: Sequences,
) -> Iterator[tuple[Sequences, Int64[np.ndarray, " rows"], Int64[np.ndarray, " rows"]]]:
    """Spans that cover all histories, so many at a time that their positions stay few.

    Yields:
        The spans by length, the rows that are prefixes of them, and the packed position where each row ends.
    """
    filled = np.flatnonzero(histories.lengths)
    starts, span_of = np.unique(histories.starts[filled], return_inverse=True)
    stops = np.zeros_like(starts)
    np.maximum.at(stops, span_of, histories.stops[filled])
    order = np.argsort(stops - starts, kind="stable")
    spans = Sequences(histories.values, starts[order], stops[order])
    ends = np.cumsum(spans.lengths)
    rank_of = np.argsort(order)[span_of]
    by_span = np.argsort(rank_of, kind="stable")
    passes = (ends - spans.lengths) // _POSITIONS_AT_ONCE
    for number in np.unique(passes):
        first, last = np.searchsorted(passes, [number, number + 1])
        lower, upper = np.searchsorted(rank_of[by_span], [first, last])
        chosen = by_span[lower:upper]
        begins = (ends - spans.lengths)[rank_of[chosen]] - (ends - spans.lengths)[first]
        rows = filled[chosen]
        yield spans.take(slice(first, last)), rows, begins + histories.lengths[rows] - 1
