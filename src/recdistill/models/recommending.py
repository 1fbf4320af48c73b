"""From raw ids to raw ids: what `recommend` and `similar_items` do for every model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.data.columns import ITEM, RANK, SCORE, USER
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import RawIds, Vocabulary
from recdistill.errors import ConfigError, DataError
from recdistill.models.best import best
from recdistill.models.ranking import top_k
from recdistill.models.recommender import Recommender

SIMILAR = "similar_item_id"
"""The column of an item's neighbours."""


def recommend(
    model: Recommender,
    histories: Sequence[RawIds] | None,
    users: RawIds | None,
    k: int,
    *,
    filter_seen: bool,
    candidates: RawIds | None,
) -> pl.DataFrame:
    """See `Recommender.recommend`."""
    _require_positive(k)
    names, rows = _questions(model, histories, users)
    allowed = None if candidates is None else _allowed(candidates, model.vocabulary)
    scores, items = top_k(model, rows, k, seen=rows if filter_seen else None, candidates=allowed)
    return _frame(USER, names, ITEM, scores, items, model.vocabulary)


def similar_items(model: Recommender, items: RawIds, k: int) -> pl.DataFrame:
    """See `Recommender.similar_items`."""
    _require_positive(k)
    dense = torch.from_numpy(model.vocabulary.require(items).astype(np.int64))
    k = min(k, len(model.vocabulary) - 1)
    found = [(torch.empty(0, k), torch.empty(0, k, dtype=torch.int64))]
    for part in dense.split(64):
        closeness = model.item_similarity(part).float().cpu()
        closeness.scatter_(1, part[:, None], -torch.inf)
        found.append(best(closeness, k))
    scores, neighbours = (torch.cat(parts) for parts in zip(*found, strict=True))
    names = model.vocabulary.decode(dense.numpy().astype(np.int32))
    return _frame(ITEM, names, SIMILAR, scores, neighbours, model.vocabulary)


def _require_positive(k: int) -> None:
    if k < 1:
        raise ConfigError(f"k is {k}: a list has at least one place.", "Ask for k = 1 or more.")


def _questions(
    model: Recommender, histories: Sequence[RawIds] | None, users: RawIds | None
) -> tuple[pl.Series, Sequences]:
    """What the first column says, and the dense histories."""
    if (histories is None) == (users is None):
        raise ConfigError(
            "recommend needs histories or users, and not both.",
            "Give histories=[[item, item], …] or users=[user, …].",
        )
    if histories is not None:
        return pl.Series(range(len(histories)), dtype=pl.Int64), encode_histories(
            histories, model.vocabulary
        )
    if model.dataset is None:
        raise DataError(
            "This model was read from a file and holds no users.",
            "Give histories=…, or set model.dataset to the dataset it was made for.",
        )
    assert users is not None
    dense = model.dataset.users.require(users, "user")
    names = model.dataset.users.decode(dense)
    return names, model.dataset.train.histories.take(dense.astype(np.int64))


def encode_histories(histories: Sequence[RawIds], vocabulary: Vocabulary) -> Sequences:
    """Dense histories; items that are not in the catalogue say nothing and are passed over."""
    rows = [vocabulary.encode(history) for history in histories]
    return Sequences.from_lists([row[row >= 0].tolist() for row in rows])


def _allowed(candidates: RawIds, vocabulary: Vocabulary) -> Int64[Tensor, " candidates"]:
    dense = vocabulary.require(candidates, "candidate item")
    return torch.from_numpy(np.unique(dense).astype(np.int64))


def _frame(
    asked: str,
    names: pl.Series,
    given: str,
    scores: Float[Tensor, "rows k"],
    items: Int64[Tensor, "rows k"],
    vocabulary: Vocabulary,
) -> pl.DataFrame:
    rows, places = (items >= 0).nonzero(as_tuple=True)
    return pl.DataFrame(
        {
            asked: names.gather(rows.numpy()),
            given: vocabulary.decode(items[rows, places].numpy().astype(np.int32)),
            SCORE: scores[rows, places].numpy(),
            RANK: (places + 1).numpy().astype(np.int32),
        }
    )
