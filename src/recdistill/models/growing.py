"""From one catalogue to another: what a model learned about items stays theirs, wherever they stand now.

Dense ids are positions in the sorted vocabulary, so one new item moves all behind it. Here the rows of a trained
model follow the raw ids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import CheckpointError
from recdistill.models.decoder import Decoder
from recdistill.models.item_knn import ItemKNN
from recdistill.models.popularity import Popularity
from recdistill.models.recommender import Recommender
from recdistill.models.sasrec import SASRec

_FREE = ("items.vectors", "items.offset.vectors")
"""What SASRec learned of each item by itself."""
_GIVEN = "items.features"
"""What SASRec was told of each item."""


@dataclass(frozen=True)
class Move:
    """From the rows of one vocabulary to those of another.

    Attributes:
        before: how many items there were.
        old: the former dense ids of the items that are still there, ascending by the new ones.
        new: their dense ids now.
        fresh: which items of the new vocabulary are new.
        places: the new dense id of each former item; -1 where it is gone.
    """

    before: int
    old: Int64[Tensor, " kept"]
    new: Int64[Tensor, " kept"]
    fresh: Bool[Tensor, " items"]
    places: Int64[Tensor, " before"]

    @classmethod
    def between(cls, former: Vocabulary, vocabulary: Vocabulary) -> Move:
        """The move; raw ids decide."""
        found = former.encode(vocabulary.ids).astype(np.int64)
        new = np.flatnonzero(found >= 0)
        places = np.full(len(former), -1, dtype=np.int64)
        places[found[new]] = new
        tensor = torch.from_numpy
        return cls(len(former), tensor(found[new]), tensor(new), tensor(found < 0), tensor(places))

    def carry(self, rows: Tensor, into: Tensor) -> Tensor:
        """`into` with the rows of all items that are still there."""
        into[self.new] = rows[self.old].to(into)
        return into


def grown(
    model: Recommender,
    vocabulary: Vocabulary,
    features: Float[Tensor, "items width"] | None = None,
    seed: int = 0,
) -> Recommender:
    """The same model for another catalogue: what it says of items that it knew does not change.

    Items that are gone are dropped. A new item gets its row of `features`, where the model makes items of features;
    where it has a vector of its own for each, that is the mean of all it knew, and noise of the usual initial
    deviation (0.02). The mean, since scores are products with these vectors: a new item then scores what items
    score on average, with every history, and is neither forced upon anybody nor out of reach; a vector near the
    origin would score 0, which in a model with a common direction in its states may be the best or the worst of all.
    The noise only tells new items apart. Models that count start new items at a count of 0.

    Args:
        model: trained; left as it is.
        vocabulary: the other catalogue.
        features: of each item of that catalogue; only the rows of new items are read, zeros (an average item)
            without any.
        seed: of the noise.

    Raises:
        CheckpointError: a model of this kind cannot be carried over, or the two catalogues share no item.
    """
    way = _WAYS.get(type(model))
    if way is None:
        raise CheckpointError(
            f"A model of the kind '{model.kind}' cannot be carried over to another catalogue.",
            f"Kinds that can: {', '.join(sorted(kind.kind for kind in _WAYS))}.",
        )
    move = Move.between(model.vocabulary, vocabulary)
    if not len(move.new):
        raise CheckpointError(
            "The model knows none of the items of the catalogue it is to be carried over to.",
            "Go on from a run on the same log; the raw ids may have changed.",
        )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        made = type(model)(model.config, vocabulary)
        way(model, made, move, features)
    made.network.eval()
    return made


def _sequences(model: Recommender, made: Recommender, move: Move, features: Tensor | None) -> None:
    before, after = model.network.state_dict(), made.network.state_dict()
    if {name: values.shape[1:] for name, values in before.items()} != {
        name: values.shape[1:] for name, values in after.items()
    }:
        raise CheckpointError(
            "The model's network is not the one that its settings describe.", "Train it again."
        )
    for name, values in before.items():
        if name in _FREE:
            after[name] += values.mean(0).to(after[name])
        elif name == _GIVEN and features is not None:
            after[name][move.fresh] = features[move.fresh].to(after[name])
        if name in (*_FREE, _GIVEN):
            move.carry(values, after[name])
        else:
            after[name].copy_(values)


def _counts(model: Recommender, made: Recommender, move: Move, features: Tensor | None) -> None:
    move.carry(model.network.get_buffer("scores"), made.network.get_buffer("scores"))


def _neighbours(model: Recommender, made: Recommender, move: Move, features: Tensor | None) -> None:
    """Neighbours that are gone are neighbours of similarity 0, which say nothing, and come last."""
    before, after = model.network, made.network
    move.carry(before.get_buffer("prior"), after.get_buffer("prior"))
    places = move.places[before.get_buffer("neighbours")]
    similarities = before.get_buffer("similarities").masked_fill(places < 0, 0.0)
    similarities, order = similarities.sort(dim=1, descending=True, stable=True)
    places = places.clamp_min(0).gather(1, order)
    kept = min(places.shape[1], after.get_buffer("neighbours").shape[1])
    for name, values in (("neighbours", places), ("similarities", similarities)):
        move.carry(values[:, :kept], after.get_buffer(name)[:, :kept])


_WAYS: dict[type[Recommender], Callable[[Recommender, Recommender, Move, Tensor | None], None]] = {
    SASRec: _sequences,
    Decoder: _sequences,
    Popularity: _counts,
    ItemKNN: _neighbours,
}
