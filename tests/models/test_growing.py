"""A model carried to another catalogue says of known items what it said, and can recommend new ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import CheckpointError
from recdistill.models.growing import grown
from recdistill.models.item_knn import ItemKNN
from recdistill.models.popularity import Popularity
from recdistill.models.recommender import Recommender
from recdistill.models.registry import model_class, settings

FORMER = Vocabulary(pl.Series(["b", "d", "f", "h", "j", "l", "n"]))
NOW = Vocabulary(pl.Series(["a", "b", "c", "f", "h", "i", "j", "l", "m", "n", "z"]))
"""`d` is gone; new ones stand before, between and behind."""
FRESH = ["a", "c", "i", "m", "z"]
SASREC = {"kind": "sasrec", "width": 8, "blocks": 1, "history": 4}
MODELS: dict[str, dict[str, Any]] = {
    "ids": SASREC,
    "rotary": {**SASREC, "positions": "rotary", "heads": 2},
    "vectors": {**SASREC, "items": {"kind": "vectors", "features": 5, "inner": 6}},
    "offset": {**SASREC, "items": {"kind": "offset", "features": 5}},
    "popularity": {"kind": "popularity"},
    "item-knn": {"kind": "item-knn", "neighbours": 4, "shrinkage": 0.0},
    "item-knn of all": {"kind": "item-knn", "neighbours": 100},
}


def trained(name: str) -> Recommender:
    """A model whose every tensor is something."""
    config = dict(MODELS[name])
    kind = model_class(config.pop("kind"))
    model = kind(settings(kind, config), FORMER)
    make = torch.Generator().manual_seed(3)
    for values in model.network.state_dict().values():
        if values.is_floating_point():
            values.copy_(torch.randn(values.shape, generator=make))
    if isinstance(model, ItemKNN):
        similar = torch.rand(7, 7, generator=make).fill_diagonal_(0)
        best = similar.topk(model.network.get_buffer("neighbours").shape[1])
        model.network.get_buffer("neighbours").copy_(best.indices)
        model.network.get_buffer("similarities").copy_(best.values)
    model.network.eval()
    return model


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Recommender:
    return trained(request.param)


def scores(model: Recommender, histories: list[list[str]]) -> Tensor:
    dense = [model.vocabulary.require(history).tolist() for history in histories]
    return model.score(model.states(Sequences.from_lists(dense)))


KEPT = ["b", "f", "h", "j", "l", "n"]
HISTORIES = [["b"], ["n", "h"], ["f", "j", "l", "b"], ["h", "h", "f", "n", "j", "b"], []]


def test_known_items_score_as_before(model: Recommender) -> None:
    later = grown(model, NOW)
    before = scores(model, HISTORIES)[:, FORMER.require(KEPT).astype(np.int64)]
    after = scores(later, HISTORIES)[:, NOW.require(KEPT).astype(np.int64)]
    torch.testing.assert_close(after, before, rtol=1e-6, atol=1e-6)


def test_the_former_model_stays_as_it_was(model: Recommender) -> None:
    before = {name: values.clone() for name, values in model.network.state_dict().items()}
    grown(model, NOW)
    for name, values in model.network.state_dict().items():
        assert torch.equal(values, before[name])
    assert model.vocabulary is FORMER


def test_there_and_back_is_where_one_was(model: Recommender) -> None:
    whole = Vocabulary(pl.Series([*"abcdefhijlmnz"]))
    back = grown(grown(model, whole), FORMER)
    torch.testing.assert_close(scores(back, HISTORIES), scores(model, HISTORIES))
    assert back.get_config() == model.get_config()


def test_it_is_saved_with_the_catalogue_it_is_for_now(model: Recommender, tmp_path: Path) -> None:
    later = grown(model, NOW)
    later.save(tmp_path / "model")
    read = Recommender.load(tmp_path / "model")
    assert read.vocabulary.ids.equals(NOW.ids)
    assert torch.equal(scores(read, HISTORIES), scores(later, HISTORIES))


def test_new_items_can_be_in_a_history_and_in_a_list(model: Recommender) -> None:
    later = grown(model, NOW)
    shown = later.recommend([["a", "m", "b"]], k=11, filter_seen=False)
    assert sorted(shown["item_id"]) == sorted(NOW.ids)
    assert shown["score"].is_finite().all()


@pytest.mark.parametrize("name", ["ids", "rotary"])
def test_a_new_item_scores_what_items_score_on_average(name: str) -> None:
    model = trained(name)
    found = scores(grown(model, NOW), HISTORIES)[:, NOW.require(FRESH).astype(np.int64)]
    average = scores(model, HISTORIES).mean(1, keepdim=True)
    spread = scores(model, HISTORIES).std()
    assert (found - average).abs().max() < 0.1 * spread
    assert (found.std(1) > 0).all()  # the noise tells them apart


def test_the_noise_is_of_the_initial_deviation_and_of_the_seed() -> None:
    model, many = (
        trained("ids"),
        Vocabulary(pl.Series([f"x{n:05d}" for n in range(3000)] + ["b"]).sort()),
    )
    tables = [grown(model, many, seed=seed).item_table().detach() for seed in (0, 0, 1)]
    fresh = many.encode([f"x{n:05d}" for n in range(3000)]).astype(np.int64)
    noise = tables[0][fresh] - model.item_table().detach().mean(0)
    assert float(noise.std()) == pytest.approx(0.02, rel=0.02)
    assert torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[0][fresh], tables[2][fresh])


@pytest.mark.parametrize("name", ["vectors", "offset"])
def test_new_items_get_their_features_and_known_ones_keep_theirs(name: str) -> None:
    model, features = trained(name), torch.randn(len(NOW), 5)
    later, plain = grown(model, NOW, features), grown(model, NOW)
    found = later.network.get_buffer("items.features")
    fresh, kept = (NOW.require(ids).astype(np.int64) for ids in (FRESH, KEPT))
    assert torch.equal(found[fresh], features[fresh])
    before = model.network.get_buffer("items.features")
    assert torch.equal(found[kept], before[FORMER.require(KEPT).astype(np.int64)])
    assert not plain.network.get_buffer("items.features")[fresh].any()


def test_counts_of_new_items_are_nought() -> None:
    model = trained("popularity")
    assert isinstance(model, Popularity)
    later = grown(model, NOW)
    assert not later.network.get_buffer("scores")[NOW.require(FRESH).astype(np.int64)].any()


def test_neighbours_that_are_gone_make_room() -> None:
    """By hand: b's neighbours are d (gone), f and h; of the two that are left, the nearer stands first."""
    model = trained("item-knn")
    row = FORMER.require(["b"])[0]
    model.network.get_buffer("neighbours")[row] = torch.from_numpy(
        FORMER.require(["d", "f", "h", "j"]).astype(np.int64)
    )
    model.network.get_buffer("similarities")[row] = torch.tensor([0.9, 0.6, 0.3, 0.0])
    later, now = grown(model, NOW), NOW.require(["b"])[0]
    places = later.network.get_buffer("neighbours")[now, :2].int().numpy()
    assert NOW.decode(places).to_list() == ["f", "h"]
    weights = later.network.get_buffer("similarities")[now]
    torch.testing.assert_close(weights, torch.tensor([0.6, 0.3, 0.0, 0.0]))


def test_ids_of_another_type_are_the_same_ids() -> None:
    config = settings(model_class("popularity"), {})
    former = Popularity(config, Vocabulary(pl.Series([3, 7, 10])))
    former.network.get_buffer("scores").copy_(torch.tensor([1.0, 2.0, 3.0]))
    later = grown(former, Vocabulary(pl.Series(["10", "3", "5"])))
    assert later.network.get_buffer("scores").tolist() == [3.0, 1.0, 0.0]


def test_a_stranger_is_refused(model: Recommender) -> None:
    with pytest.raises(CheckpointError, match="knows none of the items"):
        grown(model, Vocabulary(pl.Series(["x", "y"])))


def test_what_has_no_way_is_refused() -> None:
    class Other(Popularity):
        kind = "other"

    with pytest.raises(CheckpointError, match="'other' cannot be carried over") as caught:
        grown(Other(settings(Popularity, {}), FORMER), NOW)
    assert "item-knn, popularity, sasrec" in caught.value.hint
