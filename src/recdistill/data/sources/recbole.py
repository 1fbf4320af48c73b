"""RecBole's atomic files: `NAME.inter` and `NAME.item`, tab-separated, with `field:type` headers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from recdistill.data.columns import ITEM, RATING, TIME, USER
from recdistill.data.sources.log import Log, require_columns
from recdistill.data.sources.plain_text import (
    only_file,
    open_binary,
    parse_table,
    require_file,
    require_utf8,
)
from recdistill.errors import DataError

# RecBole's own data sets call the same thing by many names.
_SAME: Final = {"movie_title": "title", "class": "genres", "genre": "genres"}


def read_recbole(path: Path) -> Log:
    """A folder with one `.inter` file, or that file; a `.item` file of the same name is the catalogue."""
    inter = _inter(path)
    events = _atomic(inter)
    available = events.columns
    require_columns([USER, ITEM], available, str(inter), "RecBole's names are user_id and item_id.")
    has_time = TIME in available
    if not has_time:
        place = pl.int_range(pl.len(), dtype=pl.Int64)
        events = events.with_columns(place.over(USER).alias(TIME))
    kept = [name for name in (USER, ITEM, TIME, RATING) if name in events.columns]
    item = inter.with_suffix(".item")
    items = _items(item).lazy() if item.is_file() else None
    files = (inter, item) if item.is_file() else (inter,)
    return Log(inter.stem, events.select(kept).lazy(), items, files, has_time=has_time)


def _inter(path: Path) -> Path:
    if not path.is_dir():
        require_file(path)
        return path
    return only_file(sorted(path.glob("*.inter")), path, ".inter file")


def _items(path: Path) -> pl.DataFrame:
    frame = _atomic(path)
    require_columns([ITEM], frame.columns, str(path), "")
    same = {old: new for old, new in _SAME.items() if old in frame.columns}
    frame = frame.rename({old: new for old, new in same.items() if new not in frame.columns})
    if "genres" in frame.columns and "genres" in same.values():
        frame = frame.with_columns(pl.col("genres").str.replace_all(" ", ", ", literal=True))
    return frame


def _atomic(path: Path) -> pl.DataFrame:
    require_utf8(path)
    with open_binary(path) as stream:
        header = stream.readline().decode().rstrip("\r\n").split("\t")
        body = stream.read()
    if not all(":" in field for field in header):
        raise DataError(
            f"{path} is no atomic file: its first line is not made of `field:type`.",
            "A table with plain headers is read as .tsv with a column mapping.",
        )
    return parse_table(body, path, separator="\t", names=[f.rsplit(":", 1)[0] for f in header])
