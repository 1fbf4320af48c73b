"""A server that was told whom to trust serves nobody else's bundles, first or later, with workers or without."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from recdistill.bundle.signing import new_key, sign
from recdistill.cli.app import run
from recdistill.errors import BundleError
from recdistill.serving.answering import open_student
from recdistill.serving.pointer import Pointer
from recdistill.serving.shelf import Keeper, Shelf, warmed
from recdistill.serving.workers.sealed import Handed, sealed


class Heard:
    """What was refused."""

    def __init__(self) -> None:
        self.refusals: list[str] = []

    def promoted(self, student) -> None:
        raise AssertionError(student.path)

    def refused(self, error: Exception) -> None:
        self.refusals.append(str(error))


@pytest.fixture
def signed(bundle_folder: Path, tmp_path: Path) -> tuple[Path, frozenset[str]]:
    """A folder of bundles, of which `ours` is signed and `theirs` is not, and the key."""
    for name in ("ours", "theirs"):
        shutil.copytree(bundle_folder, tmp_path / "bundles" / name)
    key = new_key(tmp_path / "key.pem")
    sign(tmp_path / "bundles" / "ours", tmp_path / "key.pem")
    (tmp_path / "trusted").write_text(key)
    return tmp_path / "bundles", frozenset([key])


def test_what_is_promoted_must_be_signed_too(signed) -> None:
    folder, trusted = signed
    pointer, heard = Pointer(folder), Heard()
    pointer.promote("ours")
    opens = partial(warmed, trusted=trusted)
    shelf = Shelf(opens(pointer.bundle))
    keeper, first = Keeper(shelf, pointer, heard, opens=opens), shelf.student
    pointer.promote("theirs")
    keeper.look()
    assert len(heard.refusals) == 1
    assert "not signed" in heard.refusals[0]
    assert shelf.student is first


def test_workers_are_handed_nothing_else(signed) -> None:
    folder, trusted = signed
    copy = sealed(folder / "ours", trusted)
    handed = Handed("there", list(copy.files), list(copy.files.values()))
    assert open_student(folder / "ours", handed).digest == open_student(folder / "theirs").digest
    copy.close()
    with pytest.raises(BundleError, match="not signed"):
        sealed(folder / "theirs", trusted)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_on_the_command_line(signed, tmp_path: Path, capsys, workers: str) -> None:
    trust = ["--trust", str(tmp_path / "trusted"), "--workers", workers, "--histories", "none"]
    for bundle in (signed[0] / "theirs", signed[0]):
        Pointer(signed[0]).promote("theirs")
        assert run(["serve", str(bundle), "--port", "0", *trust]) == 6
        assert "not signed" in capsys.readouterr().err
