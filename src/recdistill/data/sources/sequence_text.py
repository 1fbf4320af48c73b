"""`user item item …`, one user a line, oldest first; and a table of items beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from recdistill.data.columns import ITEM, USER
from recdistill.data.sources.histories import unrolled
from recdistill.data.sources.log import Log
from recdistill.data.sources.plain_text import only_file, open_binary, require_file, require_utf8
from recdistill.data.sources.tables import catalogue_beside, read_items

if TYPE_CHECKING:
    from recdistill.data.configuration import DatasetConfig


def read_sequences(path: Path, config: DatasetConfig) -> Log:
    """A text file, or a folder with one `.txt` file and an `items` table.

    There is no time in such a file: `timestamp` is the place in the user's line.
    """
    text = _text(path)
    require_file(text)
    require_utf8(text)
    with open_binary(text) as stream:
        lines = pl.Series("line", stream.read().decode().splitlines())
    events = _events(lines.to_frame(), text)
    catalogue = config.items or catalogue_beside(text)
    items = None if catalogue is None else read_items(catalogue, config.columns)
    files = (text, catalogue) if catalogue else (text,)
    name = path.name if path.is_dir() else path.stem
    return Log(name, events.lazy(), items, files, has_time=False)


def _events(lines: pl.DataFrame, path: Path) -> pl.DataFrame:
    words = pl.col("line").str.strip_chars().str.replace_all(r"\s+", " ").str.split(" ")
    rows = lines.filter(pl.col("line").str.strip_chars() != "").select(words.alias("words"))
    rows = rows.select(
        pl.col("words").list.first().alias(USER), pl.col("words").list.slice(1).alias(ITEM)
    )
    return unrolled(rows, path)


def _text(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.txt"))
    preferred = [file for file in found if file.stem in ("sequential", "sequences")]
    return only_file(preferred or found, path, ".txt file of sequences")
