from __future__ import annotations

import errno
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from recdistill.data.tables import write_parquet


def test_a_table_comes_back(tmp_path: Path):
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    write_parquet(frame, tmp_path / "t.parquet", compression="lz4")
    assert_frame_equal(pl.read_parquet(tmp_path / "t.parquet"), frame)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("parquet: underlying IO error: File too large (os error 27)", errno.EFBIG),
        ("odd", errno.EIO),
    ],
)
def test_what_the_disk_refused_is_an_error_of_the_disk(monkeypatch, tmp_path, told, code):
    def refuse(*_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError(told)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", refuse)
    with pytest.raises(OSError, match=r"t\.parquet") as caught:
        write_parquet(pl.DataFrame({"a": [1]}), tmp_path / "t.parquet")
    assert caught.value.errno == code
