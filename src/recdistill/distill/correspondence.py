"""Whether lists belong to the contexts they are kept under: what a teacher lists and what people then did.

A store whose rows were permuted or shifted has the right keys, shapes and numbers, and teaches nothing. But a
teacher that knows anything lists what comes next more often than what comes next elsewhere. That is looked at
here, by agreement with the training log; no position in any file is trusted.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Int64

from recdistill.data.dataset import Dataset
from recdistill.distill.lookup import Lookup
from recdistill.errors import SignalError

_LEAST, _MOST = 2_000, 8_192
"""Contexts looked at: below the first nothing can be said."""
_WHOLE = 0.9
"""A store about less than this share of the contexts is about chosen ones."""
_KNOWS, _SHIFTED = 3.0, 5.0
"""Standard errors: a teacher is this much better than chance; a shifted one is this much better elsewhere."""


def check_correspondence(lookup: Lookup, dataset: Dataset) -> None:
    """Refuse lists that agree with the training log no better than lists of other contexts would.

    Lists that are the same for all contexts (of the most popular items, say) are left alone, and so are
    signals about too few contexts to tell. Of signals about chosen contexts a shift cannot be told.

    Args:
        lookup: of `top-k` or `hard-label` signals; others say nothing that could be compared.
        dataset: whose training events tell what came next.

    Raises:
        SignalError: with the shares that were found.
    """
    if lookup.about_items:
        return
    followed = _followed(dataset)
    known = followed[lookup.has(followed)]
    events = known[:: max(1, -(-len(known) // _MOST))]
    if len(events) < _LEAST:
        return
    said = lookup.read(events).get("items")
    if said is None or bool((said == said[:1]).all()):
        return
    lists, items = said.numpy().reshape(len(events), -1), dataset.train.items.astype(np.int64)
    own, later = _holds(lists, items[events + 1]), _holds(lists, items[events + 2])
    elsewhere = _holds(lists, items[np.random.default_rng(0).permutation(events) + 1])
    # Contexts that were chosen may have been chosen for what came next ("the hardest"), which is then hard to list; at
    # what came after that nobody looked.
    chosen = len(known) < _WHOLE * len(followed)
    if not chosen and _errors(later, own) > _SHIFTED:
        raise SignalError(
            f"The '{lookup.name}' signals seem to be shifted: they hold the item after the next in "
            f"{later.mean():.1%} of {len(events):,} training contexts, the next one in {own.mean():.1%}.",
            "They were stored under the keys of other contexts; label this dataset again.",
        )
    if _errors(own, elsewhere) < _KNOWS:
        raise SignalError(
            f"The '{lookup.name}' signals hold the next item in {own.mean():.1%} of {len(events):,} "
            f"training contexts, and the next item of some other context in {elsewhere.mean():.1%}: they "
            "know nothing about these contexts.",
            "If the store was permuted, label this dataset again; if the teacher is no better than "
            "chance on its own training data, it has nothing to teach: train it longer.",
        )


def _followed(dataset: Dataset) -> Int64[np.ndarray, " events"]:
    """Events with two more events of the same user behind them."""
    histories = dataset.train.histories
    rows = np.repeat(np.arange(len(histories)), histories.lengths)
    events = histories.places()
    return events[events + 2 < histories.stops[rows]]


def _holds(
    lists: Int64[np.ndarray, "rows k"], items: Int64[np.ndarray, " rows"]
) -> Bool[np.ndarray, " rows"]:
    return (lists == items[:, None]).any(axis=1)


def _errors(one: Bool[np.ndarray, " rows"], other: Bool[np.ndarray, " rows"]) -> float:
    """How many standard errors the share of `one` lies above that of `other`, row by row."""
    gained = one.astype(np.float64) - other
    spread = gained.std(ddof=1) / math.sqrt(len(gained))
    return gained.mean() / spread if spread else 0.0
