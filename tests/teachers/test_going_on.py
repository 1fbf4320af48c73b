"""A teacher of a smaller catalogue as the teacher of a larger one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from growing_log import both

from recdistill.data.sequences import Sequences
from recdistill.errors import ConfigError
from recdistill.models.recommender import Recommender
from recdistill.teachers import load_teacher, make_teacher
from recdistill.teachers.base import RecommenderBacked, weights_hash
from recdistill.teachers.encoder import TextEncoder
from recdistill.teachers.features.standards import Standards
from recdistill.teachers.going_on import Keep, Update, go_on
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.opinions import Opinions
from recdistill.teachers.reading_on import as_before
from recdistill.training.options import AdamW, TrainingConfig

SASREC = {"kind": "sasrec", "width": 8, "blocks": 1, "history": 6}
TRAINING = {"epochs": 2, "batch_size": 32}
STILL = TrainingConfig(epochs=1, batch_size=32, optimizer=AdamW(learning_rate=1e-30))
"""A training that changes nothing, so that what comes of it is what it began with."""


@pytest.fixture(scope="module")
def logs(make_source, tmp_path_factory):
    return both(make_source, tmp_path_factory.mktemp("logs"))


@pytest.fixture
def caches(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")


def reader(folder: Path, **settings: Any) -> dict[str, Any]:
    return {
        "kind": "text-encoder",
        "model": str(folder),
        "inner": 8,
        "head": SASREC,
        "training": TRAINING,
        **settings,
    }


def recommender(**model: Any) -> dict[str, Any]:
    return {"kind": "recommender", "model": model, "training": TRAINING}


def scores(model: Recommender, histories: list[list[str]]) -> np.ndarray:
    dense = [model.vocabulary.require(history).tolist() for history in histories]
    return model.score(model.states(Sequences.from_lists(dense))).detach().numpy()


def on_known_items(
    before: RecommenderBacked, after: RecommenderBacked, logs: Any
) -> tuple[np.ndarray, np.ndarray]:
    """What both say of the items of the former catalogue after some histories of the former log."""
    former, later = logs
    histories = [
        former.vocabulary.decode(former.train.histories[user][-8:]).to_list() for user in range(40)
    ]
    places = later.vocabulary.encode(former.vocabulary.ids)
    return scores(before.recommender, histories), scores(after.recommender, histories)[:, places]


def reloaded(teacher: RecommenderBacked, dataset: Any, folder: Path) -> RecommenderBacked:
    teacher.save(folder)
    return load_teacher(folder, dataset)


@pytest.mark.parametrize("model", [SASREC, {"kind": "popularity"}, {"kind": "item-knn"}])
def test_a_kept_teacher_says_of_known_items_what_it_said(logs, model, tmp_path):
    former, later = logs
    before = make_teacher(recommender(**model)).fit(former)
    after = reloaded(go_on(before, former, later, Keep()), later, tmp_path / "t")
    np.testing.assert_allclose(*on_known_items(before, after, logs), rtol=1e-6, atol=1e-6)
    shown = after.recommender.recommend([[later.vocabulary.ids[0]]], k=later.num_items)
    assert len(set(shown["item_id"])) == later.num_items - 1


def test_its_identity_says_where_it_comes_from(logs):
    former, later = logs
    before = make_teacher(recommender(kind="popularity")).fit(former)
    after = go_on(before, former, later, Keep())
    who = after.identity()
    assert who.settings["notes"]["continues"] == {
        "revision": weights_hash(before.recommender),
        "how": {"kind": "keep"},
    }
    assert who.revision == weights_hash(after.recommender) != before.identity().revision
    assert "continues" not in before.notes


def test_new_items_have_the_features_that_fitting_would_have_given(
    logs, tiny_encoder, caches, tmp_path
):
    """Reference: the standardisation of the former catalogue, by hand in float64, of each new item's text vector."""
    former, later = logs
    before = make_teacher(reader(tiny_encoder)).fit(former)
    after = reloaded(go_on(before, former, later, Keep()), later, tmp_path / "t")
    np.testing.assert_allclose(*on_known_items(before, after, logs), rtol=1e-5, atol=1e-5)

    encoder = TextEncoder(tiny_encoder)
    old = encoder.encode(former.items.texts()).astype(np.float64)
    variances, axes = np.linalg.eigh(np.cov(old.T, bias=True))
    fresh = np.flatnonzero(former.vocabulary.encode(later.vocabulary.ids) < 0)
    assert len(fresh) > 2
    texts = [later.items.texts()[item] for item in fresh]
    centred = encoder.encode(texts).astype(np.float64) - old.mean(0)
    scaled = centred @ axes[:, ::-1] / np.sqrt(variances[::-1] + 1e-3 * variances.max())
    features = after.recommender.network.get_buffer("items.features")
    stored = before.recommender.network.get_buffer("items.features").numpy()
    mine = (old - old.mean(0)) @ axes[:, ::-1] / np.sqrt(variances[::-1] + 1e-3 * variances.max())
    signs = np.sign((mine * stored).sum(0))  # an axis may point either way
    np.testing.assert_allclose(features[fresh].numpy(), scaled * signs, atol=5e-3)
    assert after.notes["encoder"] == before.notes["encoder"]
    assert after.texts == later.items.text_hash()


def test_a_new_item_with_a_free_offset_starts_from_its_text_and_the_mean_offset(
    logs, tiny_encoder, caches
):
    former, later = logs
    before = make_teacher(reader(tiny_encoder, offsets=True)).fit(former)
    network = go_on(before, former, later, Keep()).recommender.network.state_dict()
    fresh = np.flatnonzero(former.vocabulary.encode(later.vocabulary.ids) < 0)
    mean = before.recommender.network.state_dict()["items.offset.vectors"].mean(0)
    noise = network["items.offset.vectors"][fresh] - mean
    assert 0.01 < float(noise.std()) < 0.03  # 0.02 is the usual initial deviation
    assert bool(network["items.features"][fresh].any(1).all())


def test_the_former_features_are_found_from_those_of_now():
    """Reference: one item's vector under the standards of the 60 there were, not of the 90 there are."""
    make = np.random.default_rng(1)
    vectors = (make.normal(size=(90, 12)) @ make.normal(size=(12, 12))).astype(np.float32)
    vectors[60:] += 3.0  # new items are of another sort, so the standards differ
    old = Standards.of(vectors[:60], whiten=True)
    now, before = (
        standards.applied(vectors[:count]).astype(np.float32)
        for standards, count in ((Standards.of(vectors, whiten=True), 90), (old, 60))
    )
    order = make.permutation(90)  # where each item stands now
    table, places = now[order], np.where(order < 60, order, -1)
    table[3], before[places[5] if places[5] >= 0 else 0] = 0, 0  # nothing is known of these
    found = as_before(table, before, places)
    expected = old.applied(vectors)[order]
    expected[3] = 0
    np.testing.assert_allclose(found, expected, atol=1e-3)
    with pytest.raises(ConfigError, match="no longer gives"):
        as_before(table, before, np.roll(places, 1))


def test_an_encoder_of_another_revision_is_refused(logs, tiny_encoder, caches, tmp_path):
    from safetensors.torch import load_file, save_file

    former, later = logs
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    before = make_teacher(reader(folder)).fit(former)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: value * 1.01 for name, value in weights.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(ConfigError, match="read with revision") as caught:
        go_on(before, former, later, Keep())
    assert "former files" in caught.value.hint


def test_texts_that_gave_other_features_are_refused(logs, tiny_encoder, caches):
    """The control that exchanges texts exchanges others in another catalogue."""
    former, later = logs
    before = make_teacher(reader(tiny_encoder, permuted=True)).fit(former)
    with pytest.raises(ConfigError, match="no longer gives the features"):
        go_on(before, former, later, Keep())


def test_an_updated_teacher_starts_from_its_weights(logs, tmp_path):
    former, later = logs
    before = make_teacher(recommender(**SASREC)).fit(former)
    still = go_on(before, former, later, Update(training=STILL))
    kept = go_on(before, former, later, Keep())
    tables = [one.recommender.item_table().detach() for one in (still, kept)]
    torch.testing.assert_close(*tables)
    moved = reloaded(go_on(before, former, later, Update(share=0.5)), later, tmp_path / "t")
    assert not torch.equal(moved.recommender.item_table(), tables[1])
    assert moved.notes["continues"]["how"] == {"kind": "update", "share": 0.5, "training": None}


def test_an_update_takes_a_share_of_the_epochs_or_a_training_of_its_own():
    usual = TrainingConfig(epochs=20, batch_size=7)
    assert Update().of(usual) == usual.model_copy(update={"epochs": 6})
    assert Update(share=0.01).of(usual).epochs == 1
    assert Update(training=STILL).of(usual) == STILL


@pytest.fixture
def ensemble(logs, tiny_encoder, caches):
    def make(**settings: Any) -> RecommenderBacked:
        members = [recommender(kind="item-knn"), recommender(**SASREC), reader(tiny_encoder)]
        config = {"kind": "ensemble", "members": members, "weights": [1, 2, 1], **settings}
        return make_teacher(config).fit(logs[0])

    return make


def test_a_kept_ensemble_says_what_it_said(logs, ensemble, tmp_path):
    former, later = logs
    before = reloaded(ensemble(), former, tmp_path / "before")
    after = reloaded(go_on(before, former, later, Keep()), later, tmp_path / "after")
    assert isinstance(after.recommender, Mixture)
    np.testing.assert_allclose(*on_known_items(before, after, logs), rtol=1e-5, atol=1e-5)
    told, tells = (one.notes["members"] for one in (before, after))
    for name in ("name", "temperature", "weight"):
        assert [one[name] for one in told] == [one[name] for one in tells]
    assert after.texts not in (None, before.texts)


def test_a_kept_pool_of_opinions_keeps_members_temperatures_and_gate(logs, ensemble, tmp_path):
    former, later = logs
    before = ensemble(combine={"kind": "per-context"}, weights=None)
    after = reloaded(go_on(before, former, later, Keep()), later, tmp_path / "after")
    one, other = before.recommender, after.recommender
    assert isinstance(one, Opinions)
    assert isinstance(other, Opinions)
    assert other.config == one.config
    torch.testing.assert_close(dict(other.gate.state_dict()), dict(one.gate.state_dict()))
    counts = [model.network.get_buffer("popularity") for model in (one, other)]
    if len(counts[0]):
        assert float(counts[1].sum()) == float(counts[0].sum())
    assert np.isfinite(scores(other, [[later.vocabulary.ids[0]]])).all()


def test_an_updated_ensemble_leaves_behind_whom_it_did_not_hear(logs, ensemble, tmp_path):
    former, later = logs
    before = reloaded(ensemble(weights=[0, 1, 3]), former, tmp_path / "before")
    after = go_on(before, former, later, Update(training=STILL))
    assert [member.kind for member in after.config.members] == ["recommender", "text-encoder"]
    assert after.config.weights == (1, 3)
    assert [note["weight"] for note in after.notes["members"]] == [0.25, 0.75]
    again = reloaded(after, later, tmp_path / "after")
    assert again.identity() == after.identity()
    # And so on, a third time.
    assert go_on(again, later, later, Keep()).recommender.vocabulary is later.vocabulary


def test_a_teacher_that_has_no_way_on_is_refused(logs):
    class Other(RecommenderBacked):
        name = "other"

        def _fitted(self, dataset, run):
            raise NotImplementedError

    former, later = logs
    usual = make_teacher(recommender(kind="popularity")).fit(former)
    other = Other(usual.config).take(usual.recommender, {}, None)
    with pytest.raises(ConfigError, match="cannot go on"):
        go_on(other, former, later, Keep())
