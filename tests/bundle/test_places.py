"""Bundles as one file and at URLs, and zip files that somebody made who means harm."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pytest

from recdistill.bundle.bundle import Bundle
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.packing import packed
from recdistill.errors import BundleError, ConfigError

Files = dict[str, bytes]
ASKED = [["i0001", "i0005"], []]


@pytest.fixture
def files(bundle_folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in bundle_folder.iterdir()}


@pytest.fixture
def single(files: Files, tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    path.write_bytes(packed(files))
    return path


def test_one_file_answers_as_the_folder(bundle: Bundle, single: Path) -> None:
    opened = load_bundle(single)
    assert opened.info == bundle.info
    assert opened.recommend(ASKED).equals(bundle.recommend(ASKED))


def test_the_same_files_give_the_same_bytes_in_any_order(files: Files) -> None:
    assert packed(files) == packed(dict(reversed(files.items())))


@pytest.mark.parametrize("folder", [True, False])
def test_from_a_url(bundle: Bundle, files: Files, folder: bool) -> None:
    store, root = fsspec.filesystem("memory"), f"/bundles-{folder}"
    if folder:
        for name, data in files.items():
            store.pipe_file(f"{root}/{name}", data)
    else:
        store.pipe_file(root, packed(files))
    opened = load_bundle(f"memory:/{root}")
    assert opened.recommend(ASKED).equals(bundle.recommend(ASKED))
    store.pipe_file(f"{root}/more" if folder else root, b"other")
    with pytest.raises(BundleError, match="memory:/"):
        load_bundle(f"memory:/{root}")


def test_urls_of_nowhere() -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle("memory://nowhere/at-all")
    with pytest.raises(ConfigError, match="no-such-store"):
        load_bundle("no-such-store://bucket/bundle")


def test_every_flipped_byte_of_what_counts_is_refused(single: Path) -> None:
    """Dates and the like of the zip format count for nothing; contents, names and sizes do."""
    whole, random = single.read_bytes(), np.random.default_rng(5)
    told = load_bundle(single).recommend(ASKED)
    refused = 0
    for place in random.integers(len(whole), size=150):
        damaged = bytearray(whole)
        damaged[place] ^= int(random.integers(1, 256))
        single.write_bytes(damaged)
        try:
            assert load_bundle(single).recommend(ASKED).equals(told)
        except BundleError:
            refused += 1
    assert refused > 140


Writer = Callable[[zipfile.ZipFile, Files], None]


def zipped(files: Files, write: Writer | None = None, how: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        if write:
            write(archive, files)
    return stream.getvalue()


def named(name: str) -> Writer:
    return lambda archive, _: archive.writestr(name, b"x")


def a_link(archive: zipfile.ZipFile, _: Files) -> None:
    member = zipfile.ZipInfo("link")
    member.external_attr = 0o120777 << 16
    archive.writestr(member, "/etc/passwd")


@pytest.mark.parametrize(
    "write",
    [
        *map(
            named,
            [
                "../model.onnx",
                "/etc/passwd",
                "sub/model.onnx",
                "sub/",
                "MODEL.ONNX",
                "mödel.onnx",
                "model.onnx.",
                "./model.onnx",
                "..",
                "C:\\model.onnx",
                "weights.bin",
                " model.onnx",
                "model.onnx\n",
            ],
        ),
        a_link,
    ],
)
def test_what_does_not_belong_is_refused(files: Files, tmp_path: Path, write: Writer) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(zipped(files, write))
    with pytest.raises(BundleError, match="does not belong"):
        load_bundle(path)


def test_a_name_that_comes_twice_is_refused(files: Files, tmp_path: Path) -> None:
    """Readers do not agree which of the two counts."""
    path = tmp_path / "bundle.zip"
    with pytest.warns(UserWarning, match="Duplicate name"):
        path.write_bytes(
            zipped(files, lambda archive, own: archive.writestr("model.onnx", own["model.onnx"]))
        )
    with pytest.raises(BundleError, match="does not belong"):
        load_bundle(path)


@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_would_unpack_is_refused(files: Files, tmp_path: Path, how: int) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(zipped({**files, "README.md": bytes(1 << 22)}, how=how))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(BundleError, match="not stored as it is"):
        load_bundle(path)


def test_a_member_that_says_it_is_encrypted(single: Path) -> None:
    data = bytearray(single.read_bytes())
    central = data.rindex(b"PK\x01\x02", 0, data.index(b"manifest.json", data.index(b"PK\x01\x02")))
    data[central + 8] |= 1
    single.write_bytes(data)
    with pytest.raises(BundleError, match="not stored as it is"):
        load_bundle(single)


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06" + bytes(18), bytes(1_000), b"{}"])
def test_what_is_no_bundle(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(BundleError, match=r"no bundle|no whole bundle"):
        load_bundle(tmp_path / "file")


def test_a_single_file_is_no_link(single: Path, tmp_path: Path) -> None:
    for make in (Path.symlink_to, Path.hardlink_to):
        link = tmp_path / make.__name__
        make(link, single)
        with pytest.raises(BundleError):
            load_bundle(link)
