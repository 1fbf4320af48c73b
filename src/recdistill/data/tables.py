"""Tables on disk, with the disk's refusals as what they are."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import polars as pl


def write_parquet(frame: pl.DataFrame, path: Path, **options: Any) -> None:
    """Write `frame` as Parquet.

    Raises:
        OSError: the disk refused; Polars wraps it in an error of its own, of which only the text is left.
    """
    try:
        frame.write_parquet(path, **options)
    except pl.exceptions.ComputeError as error:
        found = re.search(r"os error (\d+)", str(error))
        code = int(found[1]) if found else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from error
