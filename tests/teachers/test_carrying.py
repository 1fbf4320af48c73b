"""What was said before is taken over, row by row, and only what nobody asked yet is asked."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from asked import KINDS, Speaker
from growing_log import both

from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import SignalError, StorageError
from recdistill.files import read_json
from recdistill.models.growing import grown
from recdistill.signals import Signals, TopK, UserVectors
from recdistill.signals.carrying import Former
from recdistill.teachers import RecommenderTeacher, label

LISTED = ("top-k", "hard-label")


@pytest.fixture(scope="module")
def logs(make_source, tmp_path_factory):
    return both(make_source, tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def models(logs):
    """A model of the former catalogue, and the same carried to the later one."""
    former, later = logs
    settings = {"width": 8, "blocks": 1, "history": 6}
    model = RecommenderTeacher.of(
        model={"kind": "sasrec", **settings}, training={"epochs": 1, "batch_size": 32}
    )
    model.fit(former)
    return model.recommender, grown(model.recommender, later.vocabulary)


@pytest.fixture(scope="module")
def said(logs, models, tmp_path_factory):
    """What the former teacher said about the former log."""
    folder = tmp_path_factory.mktemp("said") / "signals"
    return label(Speaker(models[0]), logs[0], folder, KINDS, shard_rows=200)


@pytest.fixture
def before(said, logs):
    return Former.of(said, logs[0].vocabulary, logs[1].vocabulary)


def content(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): (
            {**read_json(path), "seconds": 0} if path.suffix == ".json" else path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_log_grew_in_every_way(logs):
    former, later = logs
    assert 0 < former.num_items < later.num_items
    assert len(former.users) < len(later.users)
    known = later.vocabulary.encode(former.vocabulary.ids)
    assert (known >= 0).all()
    assert (known != np.arange(former.num_items)).any()  # dense ids have moved


def test_only_what_nobody_asked_is_asked(logs, models, before, tmp_path):
    former, later = logs
    speaker = Speaker(models[1])
    signals = label(speaker, later, tmp_path, KINDS, former=before)
    then, now = (set(dataset.contexts().keys.tolist()) for dataset in logs)
    assert sorted(speaker.asked) == sorted(now - then)
    manifest = signals["top-k"].manifest
    assert manifest.rows == len(now)
    assert manifest.asked == len(now - then)
    assert [part.rows for part in manifest.carried] == [len(now & then)]
    assert manifest.carried[0].dataset.fingerprint == former.fingerprint
    assert manifest.carried[0].teacher == Speaker(models[0]).identity()
    assert manifest.teacher == speaker.identity()
    assert signals["item-vectors"].manifest.carried == ()


def test_carried_rows_are_what_the_teacher_says_of_the_items_it_knew(
    logs, models, before, tmp_path
):
    """Asked anew, the kept teacher lists the same known items in the same order with the same differences of logits;
    new items may stand among them, and take their share of the probability."""
    former, later = logs
    carried = label(Speaker(models[1]), later, tmp_path / "carried", KINDS, former=before)
    whole = [TopK(k=later.num_items), UserVectors()]
    anew = label(Speaker(models[1]), later, tmp_path / "anew", whole)
    keys = np.intersect1d(former.contexts().keys, later.contexts().keys)
    assert len(keys) > 500
    lists, full = (one["top-k"].read(one["top-k"].find(keys)) for one in (carried, anew))
    old = np.isin(np.arange(later.num_items), later.vocabulary.encode(former.vocabulary.ids))
    for row in range(len(keys)):
        known = old[full["items"][row]]
        first = np.flatnonzero(known)[:6]
        logits = full["logits"][row][first]
        logits = logits - np.log(np.exp(full["logits"][row][known].astype(np.float64)).sum())
        np.testing.assert_allclose(lists["logits"][row], logits, atol=4e-3)
        differ = lists["items"][row] != full["items"][row][first]
        # Only logits that half precision cannot tell apart may change places.
        assert np.ptp(logits[differ]) < 1e-2 if differ.any() else True
    vectors = [
        one["user-vectors"].read(one["user-vectors"].find(keys))["vectors"]
        for one in (carried, anew)
    ]
    np.testing.assert_allclose(vectors[0], vectors[1], atol=2e-3)


def test_hard_labels_name_the_same_items_as_before(said, logs, models, before, tmp_path):
    former, later = logs
    signals = label(Speaker(models[1]), later, tmp_path, KINDS, former=before)
    keys = np.intersect1d(former.contexts().keys, later.contexts().keys)
    for kind in LISTED:
        then, now = (one[kind].read(one[kind].find(keys)) for one in (said, signals))
        raw = [
            dataset.vocabulary.decode(read["items"].reshape(-1)).to_list()
            for dataset, read in ((former, then), (later, now))
        ]
        assert raw[0] == raw[1]
        for field in set(then) - {"items"}:
            np.testing.assert_array_equal(then[field], now[field])


def test_lists_with_an_item_that_is_gone_are_asked_about_again(said, logs, models, tmp_path):
    former, _ = logs
    gone = former.vocabulary.ids[3]
    fewer = Vocabulary(former.vocabulary.ids.filter(former.vocabulary.ids != gone))
    places = Former.of(said, former.vocabulary, fewer)
    told = [said[kind].manifest for kind in ("top-k", "user-vectors", "hard-label")]
    keys = former.contexts().distinct().keys
    lists = said["top-k"].read(said["top-k"].find(keys))["items"]
    kept = places.known(keys, [one.model_copy(update={"carried": ()}) for one in told])
    assert sorted(kept) == sorted(keys[~(lists == 3).any(axis=1)])
    assert 0 < len(kept) < len(keys)


def test_who_said_what_goes_back_several_generations(logs, models, before, tmp_path):
    """The later log's signals, of two generations, carried once more by a third teacher to a part of its contexts."""
    _, later = logs
    second = label(Speaker(models[1]), later, tmp_path / "second", KINDS, former=before)
    again = Former.of(second, later.vocabulary, later.vocabulary)
    manifest = second["top-k"].manifest
    keys = later.contexts().distinct().keys[::3]
    old = np.isin(keys, before.signals["top-k"].keys)
    third = again.credited(manifest.model_copy(update={"carried": ()}), keys)
    assert [part.rows for part in third.carried] == [old.sum(), (~old).sum()]
    assert [part.teacher.revision for part in third.carried] == [
        Speaker(model).identity().revision for model in models
    ]


def test_a_kind_that_was_not_asked_or_otherwise_is_refused(logs, models, said, before, tmp_path):
    _, later = logs
    with pytest.raises(SignalError, match="other settings") as caught:
        label(Speaker(models[1]), later, tmp_path / "a", [TopK(k=7)], former=before)
    assert "anew" in caught.value.hint
    only = shutil.copytree(said.folder, tmp_path / "only")
    shutil.rmtree(only / "hard-label")
    fewer = Former(Signals.open(only), before.places)
    with pytest.raises(SignalError, match="hold no 'hard-label'"):
        label(Speaker(models[1]), later, tmp_path / "b", KINDS, former=fewer)
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_rows_of_different_origin_are_not_mixed(logs, models, before, tmp_path):
    _, later = logs
    label(Speaker(models[1]), later, tmp_path, KINDS, former=before)
    with pytest.raises(SignalError, match="taken over from elsewhere"):
        label(Speaker(models[1]), later, tmp_path, KINDS)


@pytest.mark.parametrize("failing_write", range(1, 26, 2))
def test_cut_short_at_any_write_it_ends_the_same(
    logs, models, before, tmp_path, monkeypatch, failing_write
):
    """The disk fills up at the n-th write, in the middle of carrying or of asking; called again, nothing differs."""
    _, later = logs
    label(Speaker(models[1]), later, tmp_path / "whole", KINDS, shard_rows=300, former=before)
    replace, writes = Path.replace, []

    def full(self, target):
        writes.append(target)
        if len(writes) == failing_write:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(StorageError, match="No space left"):
            label(Speaker(models[1]), later, tmp_path / "cut", KINDS, shard_rows=300, former=before)
    again = Speaker(models[1])
    label(again, later, tmp_path / "cut", KINDS, shard_rows=300, former=before)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert not set(again.asked) & set(before.signals["top-k"].keys.tolist())
