"""Checkpoints: whole, known when damaged, refused when foreign."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from recdistill.errors import CheckpointError, StorageError
from recdistill.training import checkpoints
from recdistill.training.checkpoints import CheckpointStore

IDENTITY = {"training": {"epochs": 3, "optimizer": {"learning_rate": 0.001}}, "data": {"hash": "a"}}


@pytest.fixture
def told():
    return []


@pytest.fixture
def store(tmp_path, told):
    return CheckpointStore(tmp_path / "checkpoints", IDENTITY, told.append)


def payload(step):
    generator = torch.Generator().manual_seed(step)
    return {
        "weights": {"a": torch.rand(5, 3, generator=generator), "count": torch.tensor(step)},
        "moments": {"a:step": torch.tensor(float(step))},
        "best": {},
    }


def fill(store, steps):
    for step in steps:
        store.save(step, {"step": step, "mean": 0.1 + step}, payload(step))


def test_there_is_none_at_first(store):
    assert store.latest() is None


def test_what_is_saved_comes_back(store):
    fill(store, [7])
    kept = store.latest()
    assert kept.state == {"step": 7, "mean": 7.1}
    assert kept.tensors.keys() == payload(7).keys()
    for name, named in payload(7).items():
        assert kept.tensors[name].keys() == named.keys()
        for key, tensor in named.items():
            assert torch.equal(kept.tensors[name][key], tensor)
            assert kept.tensors[name][key].dtype == tensor.dtype


def test_floats_come_back_to_the_last_bit(store):
    values = [0.1, 1 / 3, 1e-300, 123456789.123456789, -0.0]
    store.save(1, {"values": values}, payload(1))
    assert list(map(float.hex, store.latest().state["values"])) == list(map(float.hex, values))


def test_views_and_transposes_can_be_saved(store):
    matrix = torch.arange(6.0).reshape(2, 3)
    store.save(1, {}, {"weights": {"t": matrix.T}})
    assert torch.equal(store.latest().tensors["weights"]["t"], matrix.T)


def test_the_newest_two_are_kept(store, tmp_path):
    fill(store, [1, 2, 9, 10])
    names = [path.name for path in sorted((tmp_path / "checkpoints").iterdir())]
    assert names == ["step-000000009", "step-000000010"]
    assert store.latest().state["step"] == 10


def test_a_step_is_saved_once(store):
    store.save(1, {"first": True}, payload(1))
    store.save(1, {"first": False}, payload(2))
    assert store.latest().state == {"first": True}


def test_nothing_is_pickled(store, tmp_path):
    fill(store, [1])
    kinds = {path.suffix for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()}
    assert kinds == {".json", ".safetensors"}


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def flip(position):
    def damage(path):
        data = bytearray(path.read_bytes())
        data[int(position * (len(data) - 1))] ^= 0x15
        path.write_bytes(bytes(data))

    return damage


def delete(path):
    path.unlink()


FILES = [
    "weights.safetensors",
    "moments.safetensors",
    "best.safetensors",
    "state.json",
    "manifest.json",
]
DAMAGES = {
    "truncated": truncate,
    "emptied": empty,
    "deleted": delete,
    "first byte": flip(0),
    "a byte at a third": flip(1 / 3),
    "a byte in the middle": flip(0.5),
    "last brace": flip(0.99),
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_gives_way_to_the_one_before(store, tmp_path, told, file, damage):
    fill(store, [1, 2])
    folder = tmp_path / "checkpoints"
    DAMAGES[damage](folder / "step-000000002" / file)
    kept = store.latest()
    assert kept.state["step"] == 1
    assert torch.equal(kept.tensors["weights"]["a"], payload(1)["weights"]["a"])
    (line,) = told
    assert "step-000000002" in line
    assert "step-000000001" in line
    assert [path.name for path in folder.iterdir()] == ["step-000000001"]


def test_every_single_byte_of_a_manifest_matters(store, tmp_path):
    """Whatever byte flips, the checkpoint is either refused or exactly as it was."""
    fill(store, [1])
    manifest = tmp_path / "checkpoints" / "step-000000001" / "manifest.json"
    whole = manifest.read_bytes()
    refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x01
        manifest.write_bytes(bytes(damaged))
        try:
            assert store.latest().state == {"step": 1, "mean": 1.1}
        except CheckpointError:
            refused += 1
    assert refused > 0.9 * len(whole)


def test_all_damaged_is_an_error_and_removes_nothing(store, tmp_path):
    fill(store, [1, 2])
    for folder in (tmp_path / "checkpoints").iterdir():
        truncate(folder / "weights.safetensors")
    with pytest.raises(CheckpointError, match=r"weights\.safetensors does not match") as caught:
        store.latest()
    assert "Remove" in caught.value.hint
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2


def test_a_later_step_can_be_saved_after_a_fallback(store, tmp_path):
    fill(store, [1, 2])
    delete(tmp_path / "checkpoints" / "step-000000002" / "state.json")
    store.latest()
    fill(store, [2])
    assert store.latest().state["step"] == 2


def test_another_identity_is_refused_with_the_difference(store, tmp_path, told):
    fill(store, [1])
    other = json.loads(json.dumps(IDENTITY))
    other["training"]["optimizer"]["learning_rate"] = 0.5
    other["data"] = {"hash": "b"}
    stranger = CheckpointStore(tmp_path / "checkpoints", other, told.append)
    with pytest.raises(CheckpointError) as caught:
        stranger.latest()
    assert "training.optimizer.learning_rate was 0.001, is 0.5" in caught.value.message
    assert "data.hash was a, is b" in caught.value.message
    assert "epochs" not in caught.value.message
    assert store.latest().state["step"] == 1


def test_a_foreign_format_is_not_trusted(store, tmp_path):
    fill(store, [1])
    manifest = tmp_path / "checkpoints" / "step-000000001" / "manifest.json"
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(told | {"format": 99}))
    with pytest.raises(CheckpointError, match="not of this version"):
        store.latest()


def test_leftovers_of_killed_processes_are_cleared(store, tmp_path, told):
    fill(store, [1])
    folder = tmp_path / "checkpoints"
    shutil.copytree(folder / "step-000000001", folder / ".step-000000002.999.tmp")
    shutil.copytree(folder / "step-000000001", folder / ".step-000000000.old")
    CheckpointStore(folder, IDENTITY, told.append)
    assert [path.name for path in folder.iterdir()] == ["step-000000001"]


@pytest.mark.parametrize("number", range(12))
def test_a_full_disk_leaves_the_checkpoint_before(store, tmp_path, monkeypatch, number):
    """The first, second, … call that brings bytes to the disk fails; nothing else is lost."""
    fill(store, [1])
    calls = iter(range(100))

    def full(call):
        def failing(*args, **kwargs):
            if next(calls) == number:
                raise OSError(28, "No space left on device")
            return call(*args, **kwargs)

        return failing

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full(__import__("os").fsync))
        patch.setattr(checkpoints, "save_file", full(checkpoints.save_file))
        with pytest.raises(StorageError, match="No space left"):
            fill(store, [2])
    # A failure after the rename leaves both; before it, only the old one.
    assert store.latest().state["step"] in (1, 2)
    assert [path for path in (tmp_path / "checkpoints").iterdir() if path.name[0] == "."] == []


def test_what_safetensors_reports_becomes_a_storage_error(store, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_FORMAT", 1)

    def failing(*args):
        raise checkpoints.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoints, "save_file", failing)
    with pytest.raises(StorageError, match="No space left"):
        fill(store, [1])
    assert store.latest() is None
