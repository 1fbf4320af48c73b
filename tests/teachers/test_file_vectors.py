"""Teachers of vectors and texts about users that were made elsewhere; items with texts from a file."""

from __future__ import annotations

import json
import pickle

import numpy as np
import polars as pl
import pytest
import torch

from recdistill.errors import DataError
from recdistill.files import file_sha256
from recdistill.models.validation import validation
from recdistill.signals import ItemVectors, UserVectors
from recdistill.teachers import besides, label, load_teacher, make_teacher
from recdistill.teachers.features.vectors import read_any
from recdistill.training.options import RunOptions
from tests.support.domains import KINDS, prepared, write_domain


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("domain") / "shop"
    return prepared(write_domain(folder, "a", users=40, items=60, events=900, seed=1))


def kinds(dataset):
    return np.array([KINDS.index(text.split()[1]) for text in dataset.items.texts()])


@pytest.fixture
def files(dataset, tmp_path):
    """Items at their kind, users at the kind that follows their last item's; users in any order."""
    axes = np.eye(len(KINDS), dtype=np.float32)
    pl.DataFrame(
        {"item_id": dataset.vocabulary.ids, "v": axes[kinds(dataset)].tolist()}
    ).write_parquet(tmp_path / "items.parquet")
    last = dataset.train.items[dataset.train.histories.stops - 1]
    users = axes[(kinds(dataset)[last] + 1) % len(KINDS)] * 3
    order = np.random.default_rng(0).permutation(len(users))
    pl.DataFrame(
        {"user_id": dataset.users.ids.gather(order), "v": users[order].tolist()}
    ).write_parquet(tmp_path / "users.parquet")
    return tmp_path, users


def config(folder, **users):
    items = {"kind": "file", "path": folder / "items.parquet"}
    return {
        "kind": "file-vectors",
        "users": {"kind": "vectors", "path": folder / "users.parquet", **users},
        "items": items,
    }


def test_vectors_of_users_and_items_make_a_teacher(dataset, files, tmp_path):
    folder, users = files
    teacher = make_teacher(config(folder)).fit(dataset)
    heat = teacher.notes["temperature"]
    states = teacher.recommender.states(dataset.train.histories)
    np.testing.assert_allclose(states.numpy() * heat, users, atol=1e-4)
    assert validation(teacher.recommender, dataset)() > 0.05
    assert any("were given" in one for one in teacher.notes["remarks"])
    assert any("cannot be seen" in one for one in teacher.notes["remarks"])
    said = label(teacher, dataset, tmp_path / "said", [ItemVectors(), UserVectors()])
    assert set(dict(said.items())) == {"item-vectors", "user-vectors"}
    teacher.save(tmp_path / "teacher")
    assert load_teacher(tmp_path / "teacher", dataset).identity() == teacher.identity()
    named = [folder / "users.parquet", folder / "items.parquet"]
    assert besides(teacher.config) == [file_sha256(path) for path in named]


def test_what_does_not_fit_is_refused_with_its_numbers(dataset, files):
    folder, _ = files
    short = pl.DataFrame({"user_id": dataset.users.ids, "v": [[1.0, 2.0]] * len(dataset.users)})
    short.write_parquet(folder / "short.parquet")
    with pytest.raises(DataError, match="width 2, items of width 5"):
        make_teacher(config(folder, path=folder / "short.parquet")).fit(dataset)
    strange = short.with_columns(pl.col("user_id") + "?")
    strange.write_parquet(folder / "strange.parquet")
    with pytest.raises(DataError, match="has 0 vectors of users of the log"):
        make_teacher(config(folder, path=folder / "strange.parquet")).fit(dataset)
    with pytest.raises(ValueError, match="vectors of one model"):
        make_teacher({**config(folder), "items": {"kind": "text"}})


def text_config(path, encoder, **more):
    return {
        "kind": "file-vectors",
        "users": {"kind": "texts", "path": path},
        "items": {"kind": "text", "model": str(encoder)},
        **more,
    }


def test_texts_about_users_are_read_like_the_items(dataset, tiny_encoder, tmp_path):
    told = [
        {"user_id": user, "text": f"the {KINDS[row % len(KINDS)]} story"}
        for row, user in enumerate(dataset.users.ids)
    ]
    path = tmp_path / "said.jsonl"
    path.write_text("\n".join(map(json.dumps, told)))
    teacher = make_teacher(text_config(path, tiny_encoder)).fit(dataset)
    model, heat = teacher.recommender, teacher.notes["temperature"]
    states, table = model.states(dataset.train.histories) * heat, model.item_table()
    # A text about a user that reads like an item's has the item's vector.
    for user in range(10):
        item = int(np.flatnonzero(kinds(dataset) == user % len(KINDS))[0])
        torch.testing.assert_close(states[user], table[item], atol=1e-3, rtol=1e-3)
    assert teacher.notes["join"]["joined"] == len(dataset.users)
    assert teacher.texts


def test_items_with_texts_from_a_file(dataset, tiny_encoder, tmp_path):
    path = tmp_path / "said.csv"
    pl.DataFrame(
        {"asin": dataset.vocabulary.ids.head(50), "plot": ["music story 7"] * 50}
    ).write_csv(path)
    said = {"path": path, "item_id": "asin", "text": "plot"}
    settings = {"kind": "text-encoder", "model": str(tiny_encoder), "said": said}
    plain = make_teacher({"kind": "text-encoder", "model": str(tiny_encoder)}).config
    longer, only = (make_teacher(settings | more).config for more in ({}, {"template": "{said}"}))
    run = RunOptions()
    readings = [one.read(dataset, run) for one in (plain, longer, only)]
    assert len({one.texts for one in readings}) == 3
    assert readings[2].known.sum() == 50
    assert readings[1].known.all()
    assert np.ptp(readings[2].vectors[:50], axis=0).max() < 1e-6
    assert np.abs(readings[1].vectors[50:] - readings[0].vectors[50:]).max() < 1e-6
    assert readings[2].notes["said"]["joined"] == 50
    assert besides(longer) == [file_sha256(path)]
    # Who reads no file is who he was before there was a choice.
    assert "said" not in plain.model_dump(mode="json")


def test_tensors_are_read_and_code_is_not(tmp_path):
    vectors = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.bfloat16)
    torch.save({"item_id": ["b", "a"], "v": vectors}, tmp_path / "named.pt")
    torch.save(vectors, tmp_path / "plain.pt")
    pl.DataFrame({"item_id": [5, 6]}).write_csv(tmp_path / "ids.csv")
    named = read_any(tmp_path / "named.pt", None, "item_id")
    plain = read_any(tmp_path / "plain.pt", tmp_path / "ids.csv", "item_id")
    assert named.ids.to_list() == ["b", "a"]
    for table in (named, plain):
        assert table.vectors.tolist() == [[1, 2], [3, 4]]
        assert table.vectors.dtype == np.float32
    with pytest.raises(DataError, match="does not say whose vectors"):
        read_any(tmp_path / "plain.pt", None, "item_id")

    class Attack:
        def __reduce__(self):
            return open, (str(tmp_path / "owned"), "w")

    torch.save({"item_id": [1], "v": Attack()}, tmp_path / "bad.pt")
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(Attack()))
    (tmp_path / "cut.pt").write_bytes((tmp_path / "named.pt").read_bytes()[:200])
    for name in ("bad", "raw", "cut"):
        with pytest.raises(DataError, match="cannot be read as tensors alone"):
            read_any(tmp_path / f"{name}.pt", None, "item_id")
    assert not (tmp_path / "owned").exists()
    torch.save({"item_id": [1], "v": {"deep": 1}}, tmp_path / "deep.pt")
    with pytest.raises(DataError, match="holds a dict"):
        read_any(tmp_path / "deep.pt", None, "item_id")
    for name in ("x.pkl", "x.bin"):
        (tmp_path / name).write_bytes(pickle.dumps(Attack()))
        with pytest.raises(DataError, match="may be pickled"):
            read_any(tmp_path / name, None, "item_id")
