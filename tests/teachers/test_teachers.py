"""The three kinds of teacher, from configuration to folder and back."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from pydantic import ValidationError

from recdistill.data.items import Items
from recdistill.errors import CheckpointError, ConfigError, DataError, RecDistillError
from recdistill.models.validation import validation
from recdistill.progress import LineProgress
from recdistill.signals import HardLabel, ItemVectors, TopK, UserVectors
from recdistill.teachers import (
    EnsembleTeacher,
    RecommenderTeacher,
    TextEncoderTeacher,
    label,
    load_teacher,
    make_teacher,
)
from recdistill.teachers.features import Standards, permuted
from recdistill.training.options import RunOptions

TRAINING = {"epochs": 2, "batch_size": 32, "patience": None}
SASREC = {"kind": "sasrec", "width": 8, "blocks": 1, "history": 10}
KINDS = [TopK(k=5), ItemVectors(), UserVectors(), HardLabel()]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Text vectors are kept where the test is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def configs(encoder) -> dict[str, dict[str, object]]:
    sasrec = {"kind": "recommender", "model": SASREC, "training": TRAINING}
    head = {name: value for name, value in SASREC.items() if name != "kind"}
    text = {
        "kind": "text-encoder",
        "model": str(encoder),
        "inner": 12,
        "head": head,
        "training": TRAINING,
    }
    return {
        "recommender": sasrec,
        "text-encoder": text,
        "ensemble": {"kind": "ensemble", "members": [sasrec, text]},
    }


@pytest.mark.parametrize("kind", ["recommender", "text-encoder", "ensemble"])
def test_a_teacher_learns_speaks_and_survives_its_folder(
    kind, tiny_encoder, tiny_dataset, tmp_path
):
    config = configs(tiny_encoder)[kind]
    teacher = make_teacher(config).fit(tiny_dataset)
    assert teacher.says == {"top-k", "item-vectors", "user-vectors", "hard-label"}
    signals = label(teacher, tiny_dataset, tmp_path / "signals", KINDS)
    assert set(signals) == {kind.kind for kind in KINDS}
    teacher.save(tmp_path / "teacher")
    again = load_teacher(tmp_path / "teacher", tiny_dataset)
    assert again.identity() == teacher.identity()
    assert hash(again.identity()) == hash(teacher.identity())
    assert again.recommender.dataset is tiny_dataset
    histories = tiny_dataset.valid.histories
    torch.testing.assert_close(
        again.recommender.states(histories), teacher.recommender.states(histories)
    )
    # What was labelled by the one may be added to by the other: they are the same teacher.
    label(again, tiny_dataset, tmp_path / "signals", KINDS)


def test_a_trained_teacher_is_better_than_an_untrained_one(tiny_dataset):
    teacher = RecommenderTeacher.of(
        model={**SASREC, "width": 16}, training={"epochs": 12, "batch_size": 16}
    ).fit(tiny_dataset)
    untrained = type(teacher.recommender).for_dataset(tiny_dataset, **{**SASREC, "width": 16})
    quality = [validation(model, tiny_dataset) for model in (teacher.recommender, untrained)]
    assert quality[0]() > quality[1]() * 1.2


@pytest.mark.parametrize("model", [{"kind": "popularity"}, {"kind": "item-knn"}])
def test_any_model_of_ours_can_teach(model, tiny_dataset, tmp_path):
    teacher = RecommenderTeacher.of(model=model).fit(tiny_dataset)
    kinds = [kind for kind in KINDS if kind.kind in teacher.says]
    signals = label(teacher, tiny_dataset, tmp_path / "signals", kinds)
    keys = tiny_dataset.contexts().keys[:7]
    read = signals["top-k"].read(signals["top-k"].find(keys))
    shown = teacher.recommender.recommend(
        histories=[
            tiny_dataset.vocabulary.decode(tiny_dataset.contexts().histories[row]).to_list()
            for row in range(7)
        ],
        k=5,
        filter_seen=False,
    )
    listed = tiny_dataset.vocabulary.decode(read["items"].reshape(-1))
    assert shown["item_id"].to_list() == listed.to_list()
    teacher.save(tmp_path / "teacher")
    assert load_teacher(tmp_path / "teacher", tiny_dataset).identity() == teacher.identity()


def test_the_identity_shows_every_setting_and_changes_with_the_weights(tiny_dataset):
    one, other = (
        RecommenderTeacher.of(model=SASREC, training=TRAINING)
        .fit(tiny_dataset, RunOptions(seed=seed))
        .identity()
        for seed in (0, 1)
    )
    assert one.settings["config"]["model"]["dropout"] == 0.2
    assert one.settings == other.settings
    assert one.revision != other.revision
    assert json.loads(one.model_dump_json())["name"] == "sasrec"


def test_an_unfitted_teacher_says_so():
    with pytest.raises(RecDistillError, match="knows nothing yet"):
        RecommenderTeacher.of(model=SASREC).identity()


# Configurations


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"kind": "recommender", "model": {"kind": "sasrek"}}, "'sasrec'"),
        ({"kind": "recommender", "model": {"kind": "sasrec", "widht": 3}}, "'width'"),
        ({"kind": "text-encoder", "pooling": "max"}, "pooling"),
        ({"kind": "ensemble", "members": []}, "at least 1 item"),
        (
            {"kind": "ensemble", "members": [{"kind": "text-encoder"}], "weights": [1, 2]},
            "2 weights for 1 members",
        ),
        (
            {"kind": "ensemble", "members": [{"kind": "text-encoder"}], "weights": [0]},
            "above 0",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_training(config, complaint):
    with pytest.raises(ValidationError, match=complaint):
        make_teacher(config)


def test_ensembles_may_hold_ensembles():
    inner = {"kind": "ensemble", "members": [{"kind": "text-encoder"}]}
    teacher = make_teacher({"kind": "ensemble", "members": [inner, {"kind": "text-encoder"}]})
    assert isinstance(teacher, EnsembleTeacher)
    assert teacher.name.count("all-MiniLM-L6-v2") == 2


# Text


def text_teacher(encoder, **settings) -> TextEncoderTeacher:
    return make_teacher({**configs(encoder)["text-encoder"], **settings})


def test_the_texts_are_part_of_the_identity(tiny_encoder, tiny_dataset):
    plain, other = (
        text_teacher(tiny_encoder, template=template).fit(tiny_dataset).identity()
        for template in (None, "{genres}")
    )
    assert plain.texts == tiny_dataset.items.text_hash()
    assert other.texts == tiny_dataset.items.text_hash("{genres}")
    assert plain.settings["notes"]["items_without_text"] == 0
    assert plain.settings["notes"]["fallback"] is None


def without_text(dataset, rows):
    frame = dataset.items.frame.with_row_index("row").with_columns(
        pl.when(pl.col("row").is_in(rows)).then(None).otherwise(pl.col(name)).alias(name)
        for name in ("title", "genres")
    )
    items = Items(frame.drop("row"), "{title}")
    return replace(dataset, items=items)


def test_items_without_text_count_as_average_and_are_counted(tiny_encoder, tiny_dataset):
    dataset = without_text(tiny_dataset, [3, 5])
    teacher = text_teacher(tiny_encoder).fit(dataset)
    assert teacher.notes["items_without_text"] == 2
    features = teacher.recommender.network.items.features
    assert (features[[3, 5]] == 0).all()
    described = np.setdiff1d(np.arange(dataset.num_items), [3, 5])
    torch.testing.assert_close(
        features[described].mean(0), torch.zeros(features.shape[1]), atol=1e-4, rtol=0
    )


def test_offsets_stand_beside_what_the_text_gives(tiny_encoder, tiny_dataset, tmp_path):
    """A vector is its text's, projected, and its own; items without text have their own alone."""
    dataset = without_text(tiny_dataset, [3])
    teacher = text_teacher(tiny_encoder, offsets=True).fit(dataset)
    items = teacher.recommender.network.items
    expected = items.offset.vectors + 0.2 * items.features @ items.project.weight.T
    torch.testing.assert_close(teacher.recommender.item_table(), expected)
    torch.testing.assert_close(teacher.recommender.item_table()[3], items.offset.vectors[3])
    assert items.features.std() > 0
    teacher.save(tmp_path / "t")
    loaded = load_teacher(tmp_path / "t", dataset)
    assert np.array_equal(loaded.item_vectors(), teacher.item_vectors())


def test_a_catalogue_without_any_text_is_refused(tiny_encoder, tiny_dataset):
    dataset = without_text(tiny_dataset, list(range(tiny_dataset.num_items)))
    with pytest.raises(DataError, match="No item has any text"):
        text_teacher(tiny_encoder).fit(dataset)


def test_whitened_vectors_are_decorrelated_and_of_equal_variance():
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6)) + 3).astype(np.float32)
    features = Standards.of(vectors, whiten=True).applied(vectors)
    covariance = np.cov(features.T, bias=True)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-5
    assert np.diag(covariance).max() <= 1
    assert np.diag(covariance)[0] == pytest.approx(1, abs=2e-3)


def test_without_whitening_directions_keep_their_proportions():
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(500, 4)) * [4, 3, 2, 1] + 3).astype(np.float32)
    features = Standards.of(vectors, whiten=False).applied(vectors)
    expected = (vectors - vectors.mean(0)) / (vectors - vectors.mean(0)).std()
    np.testing.assert_allclose(features, expected, atol=1e-4)


def test_vectors_that_are_all_the_same_say_nothing():
    vectors = np.ones((5, 3), dtype=np.float32)
    for whiten in (True, False):
        features = Standards.of(vectors, whiten=whiten).applied(vectors)
        assert np.isfinite(features).all()


# The control


def test_permuting_is_one_ring_through_all_items():
    """The same rows, none of them where it was, and always the same order."""
    features = np.arange(60, dtype=np.float32).reshape(20, 3)
    exchanged = permuted(features)
    assert sorted(map(tuple, exchanged)) == sorted(map(tuple, features))
    assert not (exchanged == features).all(axis=1).any()
    assert np.array_equal(exchanged, permuted(features))
    assert not np.array_equal(exchanged, permuted(features, seed=1))
    assert np.array_equal(permuted(features[:1]), features[:1])


def test_a_teacher_with_permuted_texts_is_another_and_says_so(tiny_encoder, tiny_dataset, tmp_path):
    dataset = without_text(tiny_dataset, [3, 5])
    told = tmp_path / "log"
    plain = text_teacher(tiny_encoder).fit(dataset)
    with told.open("w") as stream:
        run = RunOptions(progress=LineProgress(stream))
        control = text_teacher(tiny_encoder, permuted=True).fit(dataset, run)
    right, wrong = (one.recommender.network.items.features for one in (plain, control))
    assert not torch.equal(right, wrong)
    torch.testing.assert_close(right.sort(dim=0).values, wrong.sort(dim=0).values)
    assert (wrong == 0).all(1).sum() == 2
    assert "given the text or the vector of another" in told.read_text()
    assert control.notes == {**plain.notes, "permuted": True}
    assert control.identity().name == f"{tiny_encoder}, texts permuted"
    assert control.identity().settings["config"]["permuted"] is True
    # Teachers that were fitted before there was a control are still who they were.
    assert "permuted" not in plain.identity().settings["config"]
    control.save(tmp_path / "control")
    assert load_teacher(tmp_path / "control", dataset).identity() == control.identity()


@pytest.mark.parametrize("seed", range(2))
def test_permuted_texts_take_away_what_texts_gave(tiny_encoder, tiny_dataset, seed):
    """Texts name the kind of film, which users are true to: right texts are learned from sooner than wrong ones."""
    training, head = {**TRAINING, "epochs": 2}, {"width": 8, "blocks": 1}
    right, wrong = (
        validation(
            text_teacher(tiny_encoder, permuted=exchanged, inner=None, training=training, head=head)
            .fit(tiny_dataset, RunOptions(seed=seed))
            .recommender,
            tiny_dataset,
        )()
        for exchanged in (False, True)
    )
    assert right > 1.2 * wrong


# Ensembles


@pytest.mark.parametrize("seed", range(3))
def test_an_ensemble_is_no_worse_on_validation_than_its_members(tiny_encoder, tiny_dataset, seed):
    run = RunOptions(seed=seed)
    teacher = make_teacher(configs(tiny_encoder)["ensemble"]).fit(tiny_dataset, run)
    together = validation(teacher.recommender, tiny_dataset)()
    alone = [validation(member.recommender, tiny_dataset)() for member in teacher.members]
    assert together >= max(alone) - 1e-6
    notes = teacher.identity().settings["notes"]["members"]
    assert sum(note["weight"] for note in notes) == pytest.approx(1)
    assert all(note["temperature"] > 0 for note in notes)
    assert teacher.texts is not None


def test_given_weights_are_taken_and_a_zero_leaves_its_member_out(tiny_dataset):
    popularity = {"kind": "recommender", "model": {"kind": "popularity"}}
    sasrec = {"kind": "recommender", "model": SASREC, "training": TRAINING}
    teacher = EnsembleTeacher.of(members=[popularity, sasrec], weights=[3, 1]).fit(tiny_dataset)
    assert [note["weight"] for note in teacher.notes["members"]] == [0.75, 0.25]
    assert teacher.texts is None
    alone = EnsembleTeacher.of(members=[popularity, sasrec], weights=[1, 0]).fit(tiny_dataset)
    assert alone.width == 1


def test_members_of_one_name_are_told_apart_and_the_weights_are_said(tiny_dataset, tmp_path):
    popularity = {"kind": "recommender", "model": {"kind": "popularity"}}
    knn = {"kind": "recommender", "model": {"kind": "item-knn"}}
    teacher = EnsembleTeacher.of(members=[popularity, knn, popularity], weights=[1, 2, 1])
    with (tmp_path / "log").open("w") as stream:
        teacher.fit(tiny_dataset, RunOptions(progress=LineProgress(stream)))
    names = [note["name"] for note in teacher.notes["members"]]
    assert names == ["popularity (1)", "item-knn", "popularity (2)"]
    assert (
        "given: popularity (1) 25%, item-knn 50%, popularity (2) 25%"
        in (tmp_path / "log").read_text()
    )


def test_members_keep_their_checkpoints_apart(tiny_dataset, tmp_path):
    sasrec = {"kind": "recommender", "model": SASREC, "training": TRAINING}
    teacher = EnsembleTeacher.of(members=[sasrec, {**sasrec, "model": {**SASREC, "width": 4}}])
    teacher.fit(tiny_dataset, RunOptions(folder=tmp_path))
    assert {path.name for path in (tmp_path / "members").iterdir()} == {"0", "1"}


def test_members_with_the_same_settings_are_two_opinions(tiny_dataset):
    sasrec = {"kind": "recommender", "model": SASREC, "training": TRAINING}
    teacher = EnsembleTeacher.of(members=[sasrec, sasrec]).fit(tiny_dataset)
    one, other = (member.recommender.item_table() for member in teacher.members)
    assert not torch.equal(one, other)


# Folders


@pytest.fixture
def saved(tiny_dataset, tmp_path):
    teacher = RecommenderTeacher.of(model={"kind": "popularity"}).fit(tiny_dataset)
    teacher.save(tmp_path / "teacher")
    return tmp_path / "teacher"


def test_a_missing_or_broken_teacher_is_refused(saved, tiny_dataset, tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_teacher(tmp_path / "nowhere", tiny_dataset)
    (saved / "teacher.json").write_text("{}")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_teacher(saved, tiny_dataset)


def test_a_damaged_model_is_refused(saved, tiny_dataset):
    path = saved / "model" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        load_teacher(saved, tiny_dataset)


def test_weights_of_another_teacher_are_noticed(saved, tiny_dataset):
    other = RecommenderTeacher.of(model={"kind": "popularity", "window_days": 1.0})
    other.fit(tiny_dataset).recommender.save(saved / "model")
    with pytest.raises(CheckpointError, match="is damaged: its weights hash to"):
        load_teacher(saved, tiny_dataset)


def test_a_teacher_of_another_catalogue_is_refused(saved, make_dataset, tmp_path):
    other = make_dataset(tmp_path / "other", items=30)
    with pytest.raises(CheckpointError, match="another catalogue"):
        load_teacher(saved, other)


def test_a_teacher_can_only_be_made_of_a_known_kind():
    with pytest.raises((ValidationError, ConfigError), match="ensemble"):
        make_teacher({"kind": "oracle"})
