"""From histories and items to outcomes: the face of a model's heads, and how validation judges them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Int64

from recdistill.data.columns import ITEM, USER
from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import RawIds
from recdistill.errors import ConfigError
from recdistill.models.outcomes import OutcomeName, heads_of
from recdistill.models.recommender import Recommender
from recdistill.models.recommending import encode_histories

_ROWS = 65_536


def frame(model: Recommender, histories: Sequence[RawIds], items: RawIds) -> pl.DataFrame:
    """See `SASRec.outcomes`."""
    if len(histories) != len(items):
        raise ConfigError(
            f"There are {len(histories)} histories and {len(items)} items.",
            "Give one item for each history; repeat a history to ask about several items.",
        )
    dense = model.vocabulary.require(items).astype(np.int64)
    told = foretold(model, encode_histories(histories, model.vocabulary), dense)
    asked = {
        USER: pl.Series(range(len(dense)), dtype=pl.Int64),
        ITEM: model.vocabulary.decode(dense.astype(np.int32)),
    }
    return pl.DataFrame({**asked, **told})


@torch.no_grad()
def foretold(
    model: Recommender, histories: Sequences, items: Int64[np.ndarray, " rows"]
) -> dict[str, Float32[np.ndarray, " rows"]]:
    """What each head of `model` tells of item `items[r]` after `histories[r]`: ratings on their scale,
    likes as probabilities.

    Raises:
        ConfigError: the model has no heads.
    """
    heads = heads_of(model.network)
    if not heads.names:
        raise ConfigError(
            f"This {model.kind} foretells no outcomes.",
            "Train one with `outcomes: [rating, like]` and terms of the kind `outcome`.",
        )
    states, table = model.states(histories), model.item_table()
    chosen = torch.from_numpy(items).to(table.device)
    told: dict[str, Float32[np.ndarray, " rows"]] = {}
    for name in heads.names:
        head = heads[name]
        parts = [
            head(some, table[about])
            for some, about in zip(states.split(_ROWS), chosen.split(_ROWS), strict=True)
        ]
        told[name] = head.settings.told(torch.cat(parts)).float().cpu().numpy()
    return told


def outcome_validation(
    model: Recommender, dataset: Dataset, name: OutcomeName
) -> Callable[[], float] | None:
    """How well the head `name` tells validation cases: −RMSE of ratings, −log-loss of likes; `None` without cases.

    Raises:
        ConfigError: the model has no such head.
    """
    head = heads_of(model.network).require(name, f"`metric: {name}`", "the model")
    cases = dataset.valid
    if cases.ratings is None or not len(cases):
        return None
    histories = model.trimmed(cases.histories)
    targets = cases.targets.values[cases.targets.starts].astype(np.int64)
    truth = head.settings.observed(torch.from_numpy(cases.ratings)).numpy().astype(np.float64)

    def measure() -> float:
        told = foretold(model, histories, targets)[name].astype(np.float64)
        return -rmse(told, truth) if name == "rating" else -float(log_losses(told, truth).mean())

    return measure


def rmse(told: np.ndarray, truth: np.ndarray) -> float:
    """The root of the mean squared error."""
    return float(np.sqrt(np.square(told - truth).mean()))


def log_losses(told: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """− log of the probability that was told of what came true, in nats; probabilities are kept 1e-7 off 0 and 1."""
    sure = np.clip(told, 1e-7, 1 - 1e-7)
    return -(truth * np.log(sure) + (1 - truth) * np.log1p(-sure))
