"""Damaged, incomplete and malicious folders: all refused, and for the reason that they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recdistill.bundle.loading import load_bundle
from recdistill.bundle.manifest import CONTENTS
from recdistill.bundle.places import Folder
from recdistill.bundle.verification import read_verified
from recdistill.errors import BundleError

FILES = (*CONTENTS, "manifest.json")


def test_gives_the_bytes_that_it_checked(bundle_folder: Path) -> None:
    manifest, contents = read_verified(Folder(bundle_folder))
    assert set(contents) == set(CONTENTS)
    for name in contents:
        assert contents[name] == (bundle_folder / name).read_bytes()
    assert manifest.dataset.name == "tiny"


def test_every_flipped_byte_is_refused(copied: Callable[[], Path]) -> None:
    folder, random = copied(), np.random.default_rng(11)
    sizes = {name: (folder / name).stat().st_size for name in FILES}
    flips = [(name, int(random.integers(sizes[name]))) for name in FILES for _ in range(200)]
    for name, place in flips:
        path = folder / name
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[place] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        with pytest.raises(BundleError):
            load_bundle(folder)
        path.write_bytes(whole)
    assert len(flips) == 1_000
    load_bundle(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("cut", [0, 0.5, -1])
def test_truncated_files_are_refused(copied: Callable[[], Path], name: str, cut: float) -> None:
    path = copied() / name
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut)] if cut >= 0 else whole[:-1])
    with pytest.raises(BundleError, match=name):
        load_bundle(path.parent)


@pytest.mark.parametrize("name", FILES)
def test_longer_files_are_refused(copied: Callable[[], Path], name: str) -> None:
    path = copied() / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(BundleError, match=name):
        load_bundle(path.parent)


@pytest.mark.parametrize("name", FILES)
def test_missing_files_are_named(copied: Callable[[], Path], name: str) -> None:
    folder = copied()
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} missing"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["model.onnx.data", ".hidden", "weights.bin"])
def test_extra_files_are_named(copied: Callable[[], Path], name: str) -> None:
    folder = copied()
    (folder / name).write_bytes(b"")
    with pytest.raises(BundleError, match="does not belong") as caught:
        load_bundle(folder)
    assert name in caught.value.message


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_are_refused_even_to_the_right_content(
    copied: Callable[[], Path], tmp_path: Path, name: str, link: Callable[[Path, Path], None]
) -> None:
    path, elsewhere = copied() / name, tmp_path / "elsewhere"
    path.rename(elsewhere)
    link(elsewhere, path)
    with pytest.raises(BundleError) as caught:
        load_bundle(path.parent)
    assert "links" in caught.value.hint


@pytest.mark.parametrize("name", FILES)
def test_pipes_and_folders_are_refused_at_once(copied: Callable[[], Path], name: str) -> None:
    for put in (os.mkfifo, os.mkdir):
        path = copied() / name
        path.unlink()
        put(path)
        with pytest.raises(BundleError, match=name):
            load_bundle(path.parent)


def test_no_bundle_at_all(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle at"):
        load_bundle(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="is no bundle"):
        load_bundle(tmp_path / "file")


def test_a_huge_manifest_is_not_read(copied: Callable[[], Path]) -> None:
    folder = copied()
    with (folder / "manifest.json").open("r+b") as stream:
        stream.truncate(1 << 34)
    with pytest.raises(BundleError):
        load_bundle(folder)
