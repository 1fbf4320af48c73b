"""Files are whole or absent, on a full disk and in a killed process too."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill import files
from recdistill.errors import StorageError
from recdistill.files import (
    atomic_folder,
    atomic_path,
    content_hash,
    file_sha256,
    parse_json,
    read_json,
    remove_leftovers,
    write_json,
    write_text,
)
from recdistill.texts import whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "deep" / "er" / "file.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == target.parent
    assert target.read_text() == "new"
    assert names(target.parent) == ["file.txt"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_failed_block_changes_nothing(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text(f"half {1 / 0}")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace", "tempfile.mkstemp"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, call):
    target = tmp_path / "file.txt"
    target.write_text("old")
    monkeypatch.setattr(call, full_disk)
    with pytest.raises(StorageError, match="No space left on device") as caught:
        write_text(target, "new")
    assert str(target) in caught.value.message
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.rename"])
def test_a_full_disk_leaves_the_old_folder(tmp_path, monkeypatch, call):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "file").write_text("old")
    monkeypatch.setattr(call, full_disk)
    with pytest.raises(StorageError), atomic_folder(target) as staging:
        (staging / "file").write_text("new")
    monkeypatch.undo()
    assert (target / "file").read_text() == "old"
    assert names(tmp_path) == ["folder"]


def test_a_real_refusal_of_the_system_leaves_the_old_file(tmp_path):
    """A process that may write 64 kB to a file and no more: a true failed write, not a pretended one."""
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")
    script = f"""
import resource, signal
from pathlib import Path
from recdistill.errors import StorageError
from recdistill.files import atomic_path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    with atomic_path(Path({str(target)!r})) as temporary:
        temporary.write_bytes(bytes(1_000_000))
except StorageError as error:
    raise SystemExit("refused: " + error.message)
"""
    source = Path(files.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "refused: Cannot write" in done.stderr
    assert "File too large" in done.stderr
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["file.bin"]


def test_no_permission_is_a_storage_error(tmp_path):
    (tmp_path / "blocked").write_text("a file where a folder should be")
    with pytest.raises(StorageError, match="Cannot write"):
        write_text(tmp_path / "blocked" / "file.txt", "text")


def test_what_the_block_cannot_read_is_not_blamed_on_the_disk(tmp_path):
    for make in (atomic_path, atomic_folder):
        with pytest.raises(FileNotFoundError), make(tmp_path / "out"):
            (tmp_path / "missing.csv").read_text()
    assert names(tmp_path) == []


def test_a_nested_storage_error_passes_as_it_is(tmp_path, monkeypatch):
    def nested():
        with atomic_folder(tmp_path / "outer") as staging:
            monkeypatch.setattr("os.fsync", full_disk)
            write_text(staging / "inner", "text")

    with pytest.raises(StorageError, match="inner"):
        nested()
    assert names(tmp_path) == []


def test_a_folder_appears_whole_and_replaces(tmp_path):
    target = tmp_path / "folder"
    for content in ("one", "two"):
        with atomic_folder(target) as staging:
            (staging / "sub").mkdir()
            (staging / "sub" / "file").write_text(content)
        assert (target / "sub" / "file").read_text() == content
    assert names(tmp_path) == ["folder"]


def test_a_failed_block_keeps_the_folder(tmp_path):
    target = tmp_path / "folder"
    with atomic_folder(target) as staging:
        (staging / "file").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as staging:
        (staging / "file").write_text(f"half {1 / 0}")
    assert (target / "file").read_text() == "old"
    assert names(tmp_path) == ["folder"]


def test_leftovers_go_and_the_rest_stays(tmp_path):
    (tmp_path / ".file.txt.abc.tmp").write_text("half")
    (tmp_path / ".folder.12.tmp").mkdir()
    (tmp_path / ".folder.12.tmp" / "file").write_text("half")
    (tmp_path / ".folder.12.old").mkdir()
    for kept in (".hidden", "file.tmp", "data.old"):
        (tmp_path / kept).write_text("mine")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".hidden", "data.old", "file.tmp"]
    remove_leftovers(tmp_path / "nowhere")


def test_leftovers_are_what_a_killed_write_leaves(tmp_path):
    """A process killed inside the block leaves exactly what `remove_leftovers` removes."""
    script = f"""
import os, signal
from pathlib import Path
from recdistill.files import atomic_folder, atomic_path
with atomic_path(Path({str(tmp_path)!r}) / "file"), atomic_folder(Path({str(tmp_path)!r}) / "folder"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    source = Path(files.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert done.returncode == -9
    assert len(names(tmp_path)) == 2
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []


@settings(deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_json_comes_back(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_infinities(tmp_path, value):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "value.json", {"loss": value})
    assert names(tmp_path) == []


def test_json_keeps_every_language_readable(tmp_path):
    write_json(tmp_path / "value.json", {"title": "霸王别姬"})
    assert "霸王别姬" in (tmp_path / "value.json").read_text(encoding="utf-8")


@settings(deadline=None)
@given(st.binary())
def test_the_hash_of_a_file(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "data.bin"
    path.write_bytes(data)
    assert file_sha256(path) == hashlib.sha256(data).hexdigest()


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.integers()))
def test_the_hash_of_content_knows_no_order(value):
    backwards = dict(reversed(value.items()))
    assert content_hash(value) == content_hash(backwards)
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert content_hash(value) == hashlib.sha256(canonical.encode()).hexdigest()[:16]


def test_the_hash_of_content_sees_values_and_nesting():
    variants = [{"a": 1}, {"a": "1"}, {"a": [1]}, {"a": {"a": 1}}, [1], "1", {}]
    assert len({content_hash(value) for value in variants}) == len(variants)


ANY = st.text(st.characters(exclude_categories=()))
STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3),
    max_leaves=8,
)


def joined(value):
    """What JSON says, its halves of characters joined or marked."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [joined(one) for one in value]
    return {whole(k): joined(v) for k, v in value.items()} if isinstance(value, dict) else value


@given(STRANGE)
def test_what_strangers_wrote_as_json_holds_no_half_of_a_character(value):
    text = json.dumps(value)
    for given_ in (text, text.encode(), text.encode("utf-16")):
        assert parse_json(given_) == joined(value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r'"\\ud83d"', r"\ud83d"),
        (r'"\\\ud83d"', "\\\ufffd"),
        (r'"\uD83D\uDE00\ude00"', "\U0001f600\ufffd"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (b'"caf\xe9"', "caf\ufffd"),
    ],
)
def test_halves_are_found_among_escapes(text, found):
    assert parse_json(text) == found
