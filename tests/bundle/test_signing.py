"""Signatures, against OpenSSL's own and against whoever would like to have made them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recdistill.bundle import verification
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.packing import packed
from recdistill.bundle.signing import as_trusted, new_key, read_trusted, sign
from recdistill.cli.app import run
from recdistill.errors import BundleError, ConfigError, MissingExtraError

ABOUT = b"recdistill bundle manifest\n"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, str]:
    """A private key's file and its public half."""
    path = tmp_path / "keys" / "key.pem"
    return path, new_key(path)


@pytest.fixture(params=["folder", "single file"])
def bundle(request: pytest.FixtureRequest, copied: Callable[[], Path], tmp_path: Path) -> Path:
    folder = copied()
    if request.param == "folder":
        return folder
    file = tmp_path / "one.zip"
    file.write_bytes(packed({path.name: path.read_bytes() for path in folder.iterdir()}))
    return file


def test_who_signed_is_trusted_and_nobody_else(bundle: Path, keys, tmp_path: Path) -> None:
    stranger = new_key(tmp_path / "stranger.pem")
    with pytest.raises(BundleError, match="is not signed"):
        load_bundle(bundle, trusted_keys=[keys[1]])
    plain = load_bundle(bundle).info
    assert sign(bundle, keys[0]) == keys[1]
    assert load_bundle(bundle, trusted_keys=[stranger, keys[1]]).info == plain
    assert load_bundle(bundle).info == plain
    with pytest.raises(BundleError, match="nobody who is trusted") as caught:
        load_bundle(bundle, trusted_keys=[stranger])
    assert keys[1] in caught.value.hint
    sign(bundle, tmp_path / "stranger.pem")  # again, by another
    assert load_bundle(bundle, trusted_keys=[stranger]).info == plain


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_agrees(copied: Callable[[], Path], keys, tmp_path: Path) -> None:
    folder, (private, public) = copied(), keys
    sign(folder, private)
    kind, name, signature = (folder / "manifest.sig").read_text().split()
    assert (kind, name) == ("ed25519", public)
    (tmp_path / "said").write_bytes(ABOUT + (folder / "manifest.json").read_bytes())
    (tmp_path / "signature").write_bytes(bytes.fromhex(signature))
    files = ["-in", tmp_path / "said", "-sigfile", tmp_path / "signature"]
    subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-rawin", "-inkey", private, *files],
        check=True,
        capture_output=True,
    )
    assert private.stat().st_mode & 0o777 == 0o600


def test_every_change_of_manifest_or_signature_is_refused_before_parsing(
    copied: Callable[[], Path], keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied()
    sign(folder, keys[0])

    def parsed(_: bytes) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(verification, "parse_manifest", parsed)
    for name, step in (("manifest.sig", 1), ("manifest.json", 37)):
        data = (folder / name).read_bytes()
        for place in range(0, len(data), step):
            damaged = bytearray(data)
            damaged[place] ^= 1 << place % 8
            (folder / name).write_bytes(damaged)
            with pytest.raises(BundleError):
                load_bundle(folder, trusted_keys=[keys[1]])
        for wrong in (b"", data[:-1], data + b"\n", data.upper()):
            (folder / name).write_bytes(wrong)
            with pytest.raises(BundleError):
                load_bundle(folder, trusted_keys=[keys[1]])
        (folder / name).write_bytes(data)


@pytest.mark.parametrize("made", [True, False])
def test_a_signature_of_zeros(copied: Callable[[], Path], keys, made: bool) -> None:
    """By a key that somebody has, and by one that nobody can have made."""
    name, folder = keys[1] if made else "ff" * 32, copied()
    (folder / "manifest.sig").write_text(f"ed25519 {name} {'00' * 64}\n")
    with pytest.raises(BundleError, match="not of this manifest"):
        load_bundle(folder, trusted_keys=[name])


def test_a_signature_of_another_bundle(copied: Callable[[], Path], keys, tmp_path: Path) -> None:
    folder = copied()
    other = shutil.copytree(folder, tmp_path / "other")
    text = (other / "manifest.json").read_text()
    (other / "README.md").write_text("another")
    with pytest.raises(BundleError, match="damaged"):
        sign(other, keys[0])
    assert not (other / "manifest.sig").exists()
    sign(folder, keys[0])
    (folder / "manifest.json").write_text(text.replace("0.125", "0.525"))
    with pytest.raises(BundleError, match="not of this manifest"):
        load_bundle(folder, trusted_keys=[keys[1]])


def test_a_file_of_keys(keys, tmp_path: Path) -> None:
    path = tmp_path / "trusted"
    path.write_text(f"# ours\n{keys[1]} of the build\n\n{'ab' * 32}  # of Ada\n")
    assert read_trusted(path) == {keys[1], "ab" * 32}
    for text, what in (("# none\n", "no key"), ("AB" * 32, "no public key"), ("0x1", "no public")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=what):
            read_trusted(path)
    with pytest.raises(ConfigError):
        read_trusted(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="trusted_keys"):
        as_trusted([])


def test_keys_that_are_none(copied: Callable[[], Path], keys, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there already"):
        new_key(keys[0])
    (tmp_path / "no.pem").write_text("no")
    for path in (tmp_path / "no.pem", tmp_path / "nothing"):
        with pytest.raises(ConfigError, match="holds no key"):
            sign(copied(), path)


def test_without_the_library(
    copied: Callable[[], Path], keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("serialization", "asymmetric"):
        monkeypatch.setitem(sys.modules, f"cryptography.hazmat.primitives.{name}", None)
    assert load_bundle(copied())
    with pytest.raises(MissingExtraError, match="sign"):
        load_bundle(copied(), trusted_keys=[keys[1]])


def test_on_the_command_line(
    copied: Callable[[], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, key, trusted = copied(), str(tmp_path / "key.pem"), tmp_path / "trusted"
    assert run(["bundle", "keygen", key]) == 0
    trusted.write_text(capsys.readouterr().out)
    assert run(["bundle", "verify", str(folder), "--trust", str(trusted)]) == 6
    assert run(["bundle", "sign", str(folder), "--key", key]) == 0
    assert capsys.readouterr().out == trusted.read_text()
    assert run(["bundle", "verify", str(folder), "--trust", str(trusted)]) == 0
    assert capsys.readouterr().out.strip() == load_bundle(folder).info.digest
