"""A bundle that workers share: in memory once, unchangeable, and independent of the disk."""

from __future__ import annotations

import mmap
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from started import started, wait_until

from recdistill.bundle.manifest import TABLE
from recdistill.errors import BundleError
from recdistill.serving.answering import open_student
from recdistill.serving.messages import RecommendRequest
from recdistill.serving.workers.sealed import Handed, sealed


def handed(files) -> Handed:
    return Handed("there", list(files), list(files.values()))


def test_what_is_handed_over_answers_as_what_was_opened(bundle_folder, student) -> None:
    copy = sealed(bundle_folder)
    other = open_student(bundle_folder, handed(copy.files))
    copy.close()  # what is mapped stays
    asked = [RecommendRequest(history=["i0001", "i0007"], k=40)]
    assert other.recommend(asked) == student.recommend(asked)
    assert other.digest == student.digest
    table = other.bundle.table.values
    np.testing.assert_array_equal(table, student.bundle.table.values)
    assert not table.flags.owndata
    assert not table.flags.writeable


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no sealed memory here")
def test_nobody_can_change_what_is_sealed(bundle_folder) -> None:
    copy = sealed(bundle_folder)
    for file in copy.files.values():
        for change in (lambda f: os.pwrite(f, b"x", 0), lambda f: os.ftruncate(f, 1)):
            with pytest.raises(PermissionError):
                change(file)
        with pytest.raises(PermissionError):
            mmap.mmap(file, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_WRITE)
    copy.close()


def test_what_is_damaged_is_not_sealed_and_not_taken(bundle_folder, folder) -> None:
    with pytest.raises(BundleError, match="damaged"):
        sealed(folder / "broken")
    copy, other = sealed(folder / "a"), sealed(folder / "b")
    with pytest.raises(BundleError, match=r"there: items\.parquet is damaged"):
        open_student(
            folder / "a", handed(copy.files | {"items.parquet": other.files["items.parquet"]})
        )
    for each in (copy, other):
        each.close()


def mapped(pid: int) -> dict[str, int]:
    """Kilobytes of a process's mappings of sealed memory, by what the kernel says of them."""
    text = Path(f"/proc/{pid}/smaps").read_text()
    found = {"Size": 0, "Rss": 0, "Private_Dirty": 0}
    for part in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", text):
        if "memfd:recdistill" in part.partition("\n")[0]:
            for name in found:
                found[name] += int(re.search(rf"\n{name}: +(\d+)", part).group(1))
    return found


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="no /proc here")
def test_workers_share_the_table_and_need_no_disk(folder) -> None:
    with started(folder, "--workers", 2, "--histories", "none") as server:
        shutil.rmtree(folder / "a")
        known = set(server.children())
        for pid in known:
            seen = mapped(pid)
            assert seen["Size"] * 1024 >= 40 * 16 * 4
            assert seen["Rss"] > 0
            assert seen["Private_Dirty"] == 0  # nobody has a copy of a page
        for pid in known:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(set(server.children()) - known) == 2)
        assert server.once().status == 200


def test_the_table_is_what_is_mapped(bundle_folder) -> None:
    """Of the files that are handed over only the table is a view; all else is small, and a copy."""
    copy = sealed(bundle_folder)
    place = handed(copy.files)
    for name in place.names():
        data = place.read(name, 1 << 30)
        assert isinstance(data, memoryview) == (name == TABLE)
        assert bytes(data) == (bundle_folder / name).read_bytes()
        assert bytes(place.read(name, 7)) == bytes(data)[:8]
    copy.close()
