"""The verbs, for every kind of model alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from recdistill.data.dataset import Dataset
from recdistill.errors import CheckpointError, ConfigError, DataError
from recdistill.models.recommender import Recommender
from recdistill.models.sasrec import SASRec
from recdistill.training.options import AdamW, RunOptions, TrainingConfig

CONFIGS: dict[str, dict[str, Any]] = {
    "popularity": {"kind": "popularity"},
    "item-knn": {"kind": "item-knn"},
    "sasrec": {"kind": "sasrec", "width": 16, "history": 12},
    "sampled": {
        "kind": "sasrec",
        "width": 16,
        "history": 12,
        "loss": {"kind": "sampled-softmax", "negatives": 30, "alpha": 0.5},
    },
}
TRAINING = TrainingConfig(epochs=6, batch_size=16, optimizer=AdamW(learning_rate=0.01))
HISTORIES = [["i0001", "i0006", "i0011"], [], ["i0003", "no such item"], ["no such item"]]


@pytest.fixture(scope="module")
def fitted(tiny_dataset: Dataset) -> dict[str, Recommender]:
    return {
        name: Recommender.from_config(config, tiny_dataset).fit(
            tiny_dataset, TRAINING, RunOptions()
        )
        for name, config in CONFIGS.items()
    }


@pytest.fixture(params=CONFIGS)
def model(request: pytest.FixtureRequest, fitted: dict[str, Recommender]) -> Recommender:
    return fitted[request.param]


def shown(frame: pl.DataFrame, user: object) -> list[str]:
    return frame.filter(pl.col("user_id") == user)["item_id"].to_list()


def test_the_frame(model: Recommender) -> None:
    frame = model.recommend(HISTORIES, k=5)
    assert frame.columns == ["user_id", "item_id", "score", "rank"]
    assert frame["user_id"].to_list() == [row for row in range(4) for _ in range(5)]
    assert frame["rank"].to_list() == [1, 2, 3, 4, 5] * 4
    for row in range(4):
        own = frame.filter(pl.col("user_id") == row)
        order = own.sort(["score", "item_id"], descending=[True, False])
        assert own["item_id"].to_list() == order["item_id"].to_list()


def test_unknown_items_of_a_history_say_nothing(model: Recommender) -> None:
    frame = model.recommend([["i0003", "no such item"], ["i0003"], ["no such item"], []], k=5)
    assert shown(frame, 0) == shown(frame, 1)
    assert shown(frame, 2) == shown(frame, 3)


def test_what_was_seen_is_left_out_or_not(model: Recommender) -> None:
    history = ["i0001", "i0006", "i0011"]
    assert not set(shown(model.recommend([history], k=100), 0)) & set(history)
    assert len(shown(model.recommend([history], k=100), 0)) == len(model.vocabulary) - 3
    everything = shown(model.recommend([history], k=100, filter_seen=False), 0)
    assert sorted(everything) == model.vocabulary.ids.to_list()


def test_candidates(model: Recommender) -> None:
    chosen = ["i0009", "i0001", "i0004", "i0009"]
    found = shown(model.recommend([["i0001"]], k=10, candidates=chosen), 0)
    assert sorted(found) == ["i0004", "i0009"]
    order = shown(model.recommend([["i0001"]], k=100), 0)
    assert found == [item for item in order if item in chosen]
    assert model.recommend([["i0001"]], candidates=[]).height == 0


def test_users_are_their_training_histories(model: Recommender, tiny_dataset: Dataset) -> None:
    names = tiny_dataset.users.ids.head(3)
    by_user = model.recommend(users=names, k=4)
    histories = [
        tiny_dataset.vocabulary.decode(tiny_dataset.train.histories[row]) for row in range(3)
    ]
    by_history = model.recommend(histories, k=4)
    for row, name in enumerate(names):
        assert shown(by_user, name) == shown(by_history, row)


def test_similar_items(model: Recommender) -> None:
    frame = model.similar_items(["i0007", "i0002"], k=3)
    assert frame.columns == ["item_id", "similar_item_id", "score", "rank"]
    assert frame["item_id"].to_list() == ["i0007"] * 3 + ["i0002"] * 3
    assert (frame["item_id"] != frame["similar_item_id"]).all()
    assert model.similar_items(["i0007"], k=1000).height == len(model.vocabulary) - 1


def test_similarity_of_vectors_is_the_cosine(fitted: dict[str, Recommender]) -> None:
    model = fitted["sasrec"]
    table = model.item_table().detach()
    frame = model.similar_items(["i0007"], k=1000)
    items = torch.from_numpy(model.vocabulary.require(frame["similar_item_id"]))
    asked = int(model.vocabulary.require(["i0007"])[0])
    expected = torch.cosine_similarity(table[asked][None], table[items])
    assert frame["score"].to_numpy() == pytest.approx(expected.numpy(), abs=1e-6)
    assert frame["score"].is_sorted(descending=True)


def test_saved_and_read_back(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = Recommender.load(tmp_path / "model")
    assert type(again) is type(model)
    assert again.get_config() == model.get_config()
    assert again.recommend(HISTORIES, k=7).equals(model.recommend(HISTORIES, k=7))
    with pytest.raises(DataError, match="holds no users"):
        again.recommend(users=["u0001"])


def test_config_makes_the_same_model(model: Recommender, tiny_dataset: Dataset) -> None:
    again = Recommender.from_config(model.get_config(), tiny_dataset)
    assert again.config == model.config
    assert again.dataset is tiny_dataset


def test_what_cannot_be_asked(model: Recommender) -> None:
    with pytest.raises(ConfigError, match="histories or users"):
        model.recommend()
    with pytest.raises(ConfigError, match="histories or users"):
        model.recommend([["i0001"]], users=["u0001"])
    with pytest.raises(ConfigError, match="k is 0"):
        model.recommend([["i0001"]], k=0)
    with pytest.raises(ConfigError, match="k is -1"):
        model.similar_items(["i0001"], k=-1)
    with pytest.raises(DataError, match="'i00O1'") as error:
        model.recommend([["i0001"]], candidates=["i00O1"])
    assert "i00" in error.value.hint
    with pytest.raises(DataError, match="nobody"):
        model.recommend(users=["nobody"])
    with pytest.raises(DataError, match="no such item"):
        model.similar_items(["no such item"])


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.parquet", "config.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damage_is_noticed(
    fitted: dict[str, Recommender], tmp_path: Path, name: str, damage: str
) -> None:
    fitted["popularity"].save(tmp_path / "model")
    path = tmp_path / "model" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    match damage:
        case "flip":
            path.write_bytes(content)
        case "cut":
            path.write_bytes(content[:-9])
        case _:
            path.unlink()
    with pytest.raises(CheckpointError) as error:
        Recommender.load(tmp_path / "model")
    assert str(tmp_path) in error.value.message
    assert error.value.hint


def test_formats_and_kinds_of_the_future(fitted: dict[str, Recommender], tmp_path: Path) -> None:
    fitted["popularity"].save(tmp_path)
    record = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**record, "format": 2}))
    with pytest.raises(CheckpointError, match="has format 2"):
        Recommender.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**record, "model": {"kind": "gru"}}))
    with pytest.raises(CheckpointError, match="gru"):
        Recommender.load(tmp_path)


def test_a_mistyped_kind_or_setting(tiny_dataset: Dataset) -> None:
    with pytest.raises(ConfigError) as error:
        Recommender.from_config({"kind": "sasrce"}, tiny_dataset)
    assert "Did you mean 'sasrec'?" in error.value.hint
    with pytest.raises(ConfigError, match="'widht'") as error:
        Recommender.from_config({"kind": "sasrec", "widht": 8}, tiny_dataset)
    assert "Did you mean 'width'?" in error.value.hint
    with pytest.raises(ConfigError, match="'width' cannot be 0"):
        SASRec.for_dataset(tiny_dataset, width=0)
    with pytest.raises(ConfigError):
        Recommender.from_config({}, tiny_dataset)


def test_the_seed_decides_the_first_weights(tiny_dataset: Dataset) -> None:
    state = torch.get_rng_state()
    first, again, other = (
        SASRec.for_dataset(tiny_dataset, seed=seed, width=8).item_table() for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state), "others' random numbers are left alone"
