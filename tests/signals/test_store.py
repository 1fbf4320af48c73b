"""Writer and reader together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from recdistill.errors import SignalError, StorageError
from recdistill.files import read_json
from recdistill.signals import (
    Expectation,
    HardLabel,
    SignalManifest,
    SignalReader,
    Signals,
    SignalWriter,
    TopK,
    UserVectors,
)
from recdistill.signals.manifest import DatasetIdentity


def test_every_row_is_read_back_by_its_key(stored, made_up):
    folder, keys = stored
    reader = SignalReader.open(folder)
    wanted = keys[np.random.default_rng(1).permutation(len(keys))]
    read = reader.read(reader.find(wanted))
    said = made_up[1](wanted)
    np.testing.assert_array_equal(read["items"], said["items"])
    np.testing.assert_array_equal(read["rest"], said["rest"])
    np.testing.assert_array_equal(read["logits"], said["logits"].astype(np.float16))
    assert read["logits"].dtype == np.float32
    assert len(reader) == len(keys)


def test_a_key_about_which_nothing_was_said_is_absent(stored):
    folder, keys = stored
    unknown = np.setdiff1d(np.arange(50, dtype=np.uint64), keys)
    assert (SignalReader.open(folder).find(unknown) == -1).all()
    with pytest.raises(IndexError, match=r"0 … 999"):
        SignalReader.open(folder).read(np.array([-1]))


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.integers(0, 999), max_size=80))
def test_any_rows_in_any_order_with_repetitions(stored_once, rows):
    reader, keys, columns = stored_once
    read = reader.read(np.array(rows, dtype=np.int64))
    np.testing.assert_array_equal(read["items"], columns(keys[rows])["items"])


@pytest.fixture(scope="module")
def stored_once(tmp_path_factory):
    from recdistill.signals import TeacherIdentity

    rng = np.random.default_rng(3)
    keys = rng.integers(0, 2**64, 1000, dtype=np.uint64)

    def columns(keys):
        return {"items": (keys % np.uint64(997)).astype(np.int32), "confidence": np.ones(len(keys))}

    folder = tmp_path_factory.mktemp("once") / "hard-label"
    kind = HardLabel()
    manifest = SignalManifest(
        kind=kind,
        teacher=TeacherIdentity(kind="x", name="x", revision="x", settings={}),
        dataset=DatasetIdentity(name="x", fingerprint="x"),
        fields=kind.fields(997, 0),
    )
    writer = SignalWriter.create(folder, manifest, shard_rows=170)
    writer.append(keys, columns(keys))
    writer.finish()
    return SignalReader.open(folder), keys, columns


def test_shards_are_safetensors_files_as_others_read_them(stored, made_up):
    folder, keys = stored
    parts = [load_file(path) for path in sorted(folder.glob("*.safetensors"))]
    assert [len(part["keys"]) for part in parts] == [150] * 6 + [100]
    np.testing.assert_array_equal(np.concatenate([part["keys"] for part in parts]), keys)
    items = np.concatenate([part["items"] for part in parts])
    np.testing.assert_array_equal(items, made_up[1](keys)["items"])


def test_columns_are_views_of_the_file_and_not_copies(stored):
    from recdistill.signals.shards import map_shard

    manifest = SignalManifest.load(stored[0])
    columns = map_shard(stored[0], manifest.shards[0], manifest.fields)
    for values in columns.values():
        assert not values.flags.owndata
        assert not values.flags.writeable


def test_keys_stored_in_order_need_no_index(tmp_path, manifest, made_up):
    keys = np.unique(made_up[0](500))
    writer = SignalWriter.create(tmp_path / "s", manifest(), shard_rows=100)
    writer.append(keys, made_up[1](keys))
    writer.finish()
    reader = SignalReader.open(tmp_path / "s")
    np.testing.assert_array_equal(reader.find(keys), np.arange(len(keys)))
    np.testing.assert_array_equal(reader.find(keys[::-1]), np.arange(len(keys))[::-1])


def test_a_signal_of_nothing_is_still_a_signal(tmp_path, manifest, made_up):
    SignalWriter.create(tmp_path / "s", manifest()).finish()
    reader = SignalReader.open(tmp_path / "s")
    assert len(reader) == 0
    assert reader.find(made_up[0](3)).tolist() == [-1, -1, -1]
    assert reader.read(np.empty(0, dtype=np.int64))["items"].shape == (0, 5)


def test_minus_infinity_and_huge_values_survive(tmp_path, manifest):
    writer = SignalWriter.create(tmp_path / "s", manifest(TopK(k=2)))
    logits = np.array([[0.0, -1e9]], dtype=np.float32)
    rest = np.array([-np.inf], dtype=np.float32)
    items = np.array([[1, 2]], dtype=np.int32)
    key = np.array([9], dtype=np.uint64)
    writer.append(key, {"items": items, "logits": logits, "rest": rest})
    writer.finish()
    read = SignalReader.open(tmp_path / "s").read(np.array([0]))
    assert read["rest"][0] == -np.inf
    assert read["logits"].tolist() == [[0.0, -65504.0]]


def test_a_wrong_shape_or_a_missing_field_is_refused(tmp_path, manifest, made_up):
    writer = SignalWriter.create(tmp_path / "s", manifest())
    keys = made_up[0](3)
    columns = made_up[1](keys)
    with pytest.raises(SignalError, match=r"'logits' must have shape \(3, 5\), got \(3, 4\)"):
        writer.append(keys, columns | {"logits": columns["logits"][:, :4]})
    del columns["rest"]
    with pytest.raises(SignalError, match=r"'rest' must have shape .* got nothing"):
        writer.append(keys, columns)


def test_a_context_labelled_twice_is_noticed(tmp_path, manifest, made_up):
    writer = SignalWriter.create(tmp_path / "s", manifest())
    keys = made_up[0](3)
    writer.append(keys, made_up[1](keys))
    writer.append(keys, made_up[1](keys))
    with pytest.raises(SignalError, match="twice"):
        writer.finish()


# Going on after an interruption


def test_a_resumed_labelling_knows_what_is_still_absent(tmp_path, manifest, made_up):
    keys = made_up[0](250)
    writer = SignalWriter.create(tmp_path / "s", manifest(), shard_rows=100)
    writer.append(keys, made_up[1](keys))  # two shards; 50 rows are pending and lost
    with pytest.raises(SignalError, match="interrupted after 200 rows"):
        SignalReader.open(tmp_path / "s")
    again = SignalWriter.create(tmp_path / "s", manifest(), shard_rows=100)
    absent = keys[again.absent(keys)]
    np.testing.assert_array_equal(absent, keys[200:])
    again.append(absent, made_up[1](absent))
    again.finish()
    reader = SignalReader.open(tmp_path / "s")
    assert (reader.find(keys) == np.arange(250)).all()
    reader.verify()


def test_a_shard_that_the_manifest_does_not_name_is_overwritten(tmp_path, manifest, made_up):
    """As after a kill between the shard's rename and the manifest's."""
    keys = made_up[0](200)
    writer = SignalWriter.create(tmp_path / "s", manifest(), shard_rows=100)
    writer.append(keys[:100], made_up[1](keys[:100]))
    (tmp_path / "s" / "shard-00001.safetensors").write_bytes(b"left over")
    again = SignalWriter.create(tmp_path / "s", manifest(), shard_rows=100)
    again.append(keys[100:], made_up[1](keys[100:]))
    again.finish()
    SignalReader.open(tmp_path / "s").verify()


def test_what_a_killed_write_left_behind_goes(tmp_path, manifest):
    SignalWriter.create(tmp_path / "s", manifest())
    left_over = tmp_path / "s" / ".shard-00000.safetensors.abc.tmp"
    left_over.write_bytes(b"half a shard")
    SignalWriter.create(tmp_path / "s", manifest()).finish()
    assert not left_over.exists()


def test_finishing_a_finished_signal_changes_nothing(stored, manifest):
    before = (stored[0] / "manifest.json").read_bytes()
    SignalWriter.create(stored[0], manifest()).finish()
    assert (stored[0] / "manifest.json").read_bytes() == before


def test_seconds_add_up_over_interruptions(tmp_path, manifest, made_up):
    keys = made_up[0](200)
    first = SignalWriter.create(tmp_path / "s", manifest(), shard_rows=100)
    first.append(keys[:100], made_up[1](keys[:100]))
    spent = read_json(tmp_path / "s" / "manifest.json")["seconds"]
    second = SignalWriter.create(tmp_path / "s", manifest(), shard_rows=100)
    second.append(keys[100:], made_up[1](keys[100:]))
    done = second.finish()
    assert done.seconds >= spent
    assert done.rows == 200
    if done.seconds:
        assert done.rows_per_second == pytest.approx(200 / done.seconds)


# Damage


def test_a_truncated_shard_is_found_on_opening(stored):
    path = stored[0] / "shard-00003.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(SignalError, match=r"shard-00003.safetensors is damaged") as caught:
        SignalReader.open(stored[0])
    assert "Delete" in caught.value.hint


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_missing_or_empty_shard_is_found_on_opening(stored, damage):
    path = stored[0] / "shard-00002.safetensors"
    path.unlink() if damage == "missing" else path.write_bytes(b"")
    with pytest.raises(SignalError, match=r"shard-00002.safetensors cannot be read"):
        SignalReader.open(stored[0])


@pytest.mark.parametrize("place", [0, 7, 9, 40, 70])
def test_a_damaged_header_is_found_on_opening_or_by_the_checksum(stored, place):
    path = stored[0] / "shard-00001.safetensors"
    content = bytearray(path.read_bytes())
    content[place] ^= 0x5A
    path.write_bytes(content)
    with pytest.raises(SignalError, match="shard-00001"):
        SignalReader.open(stored[0]).verify()


def test_one_flipped_bit_of_the_data_is_found_by_the_checksum(stored):
    path = stored[0] / "shard-00000.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    reader = SignalReader.open(stored[0])
    with pytest.raises(SignalError, match=r"shard-00000.*checksum"):
        reader.verify()
    with pytest.raises(SignalError, match=r"shard-00000.*checksum"):
        Signals.open(stored[0].parent).verify()


def test_a_shard_of_other_fields_is_refused(stored, manifest):
    found = SignalManifest.load(stored[0])
    fields = UserVectors().fields(300, 8)
    found.model_copy(update={"fields": fields}).save(stored[0])
    with pytest.raises(SignalError, match="but its manifest says"):
        SignalReader.open(stored[0])


def test_a_full_disk_loses_no_finished_shard(tmp_path, manifest, made_up, monkeypatch):
    keys = made_up[0](300)
    writer = SignalWriter.create(tmp_path / "s", manifest(), shard_rows=100)
    writer.append(keys[:100], made_up[1](keys[:100]))
    from pathlib import Path

    def full(self, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(StorageError, match="No space left"):
            writer.append(keys[100:200], made_up[1](keys[100:200]))
    again = SignalWriter.create(tmp_path / "s", manifest(), shard_rows=100)
    absent = keys[again.absent(keys)]
    assert len(absent) == 200
    again.append(absent, made_up[1](absent))
    again.finish()
    SignalReader.open(tmp_path / "s").verify()
    assert not list((tmp_path / "s").glob("*.tmp"))


# Whose signals these are


def test_another_datasets_signals_are_refused_and_the_difference_named(stored, teacher):
    expect = Expectation(dataset=DatasetIdentity(name="tiny", fingerprint="xyz"))
    with pytest.raises(SignalError) as caught:
        SignalReader.open(stored[0], expect)
    assert "another dataset" in caught.value.message
    assert "dataset.fingerprint: expected 'xyz', found 'abc'" in caught.value.message
    assert "dataset.name" not in caught.value.message


def test_another_teachers_signals_are_refused_and_every_difference_named(stored, teacher):
    other = teacher.model_copy(
        update={"revision": "4567", "settings": {"config": {"width": 16}, "notes": 1}}
    )
    with pytest.raises(SignalError, match="another teacher") as caught:
        Signals.open(stored[0].parent, Expectation(teacher=other))
    for difference in (
        "teacher.revision: expected '4567', found '0123'",
        "teacher.settings.config.width: expected 16, found 8",
        "teacher.settings.notes: expected 1, found nothing",
    ):
        assert difference in caught.value.message


def test_labelling_into_the_folder_of_other_settings_is_refused(stored, manifest):
    with pytest.raises(SignalError, match=r"kind.k: expected 6, found 5"):
        SignalWriter.create(stored[0], manifest(TopK(k=6)))


def test_the_right_teacher_and_dataset_are_welcome(stored, teacher):
    expect = Expectation(DatasetIdentity(name="tiny", fingerprint="abc"), teacher, TopK(k=5))
    assert SignalReader.open(stored[0], expect).kind == TopK(k=5)


def test_identities_are_hashable_and_differ_in_any_part(teacher):
    assert hash(teacher) == hash(teacher.model_copy())
    others = {
        teacher.model_copy(update={name: "z"}) for name in ("kind", "name", "revision", "texts")
    }
    assert len(others | {teacher}) == 5


# A folder of kinds


def test_a_folder_without_signals_says_what_to_do(tmp_path):
    with pytest.raises(SignalError, match="no signals") as caught:
        Signals.open(tmp_path)
    assert "recdistill label" in caught.value.hint
    with pytest.raises(SignalError, match="no signals"):
        SignalReader.open(tmp_path)


def test_a_broken_manifest_is_refused(stored):
    (stored[0] / "manifest.json").write_text("{")
    with pytest.raises(SignalError, match=r"manifest.json cannot be read"):
        SignalReader.open(stored[0])


def test_signals_are_a_mapping_by_kind(stored, manifest, teacher, made_up):
    folder = stored[0].parent
    writer = SignalWriter.create(folder / "user-vectors", manifest(UserVectors()))
    keys = made_up[0](10)
    writer.append(keys, {"vectors": np.ones((10, 8), dtype=np.float32)})
    writer.finish()
    signals = Signals.open(folder)
    assert list(signals) == ["top-k", "user-vectors"]
    assert len(signals) == 2
    assert "top-k" in signals
    assert "hard-label" not in signals
    assert signals.kinds == {"top-k": TopK(k=5), "user-vectors": UserVectors()}
    assert signals.teacher == teacher
    assert signals.seconds == max(reader.manifest.seconds for reader in signals.values())
    with pytest.raises(SignalError, match="hold no 'top_k'") as caught:
        signals["top_k"]
    assert "Did you mean 'top-k'?" in caught.value.hint


def test_kinds_of_different_teachers_do_not_mix(stored, manifest, teacher):
    other = teacher.model_copy(update={"revision": "4567"})
    SignalWriter.create(
        stored[0].parent / "hard-label", manifest(HardLabel(), teacher=other)
    ).finish()
    with pytest.raises(SignalError, match=r"teacher.revision: expected '0123', found '4567'"):
        Signals.open(stored[0].parent)
