"""Amazon Reviews: the files of 2023 (JSONL or CSV, times in milliseconds) and of 2014 (ratings-only CSV)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from recdistill.data.columns import ITEM, RATING, TIME, USER
from recdistill.data.sources.log import Log, require_columns
from recdistill.data.sources.plain_text import open_binary, parse_table, require_file, require_utf8
from recdistill.errors import DataError

if TYPE_CHECKING:
    from recdistill.data.configuration import DatasetConfig

_SUFFIXES: Final = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".csv", ".csv.gz")
# 2023 first: its `parent_asin` is what the meta file describes; `asin` is the variant (a colour, a size).
_NAMES: Final = {
    USER: ("user_id", "reviewerID"),
    ITEM: ("parent_asin", "asin"),
    RATING: ("rating", "overall"),
    TIME: ("timestamp", "unixReviewTime"),
}
_META: Final = {
    "parent_asin": pl.String,
    "asin": pl.String,
    "title": pl.String,
    "store": pl.String,
    "brand": pl.String,
    "categories": pl.List(pl.String),
    "features": pl.List(pl.String),
    "description": pl.List(pl.String),
}
_REVIEW: Final = {
    "user_id": pl.String,
    "reviewerID": pl.String,
    "parent_asin": pl.String,
    "asin": pl.String,
    "rating": pl.Float64,
    "overall": pl.Float64,
    "timestamp": pl.Int64,
    "unixReviewTime": pl.Int64,
}


def read_amazon(path: Path, config: DatasetConfig) -> Log:
    """A file of reviews or ratings, or a folder with one and perhaps a `meta_…` file."""
    reviews, meta = _files(path)
    meta = config.items or meta
    items = None if meta is None else _items(meta)
    files = (reviews, meta) if meta else (reviews,)
    name = reviews.name.split(".")[0]
    return Log(name, _events(reviews), items, files, "{title}. {categories}" if meta else None)


def _files(path: Path) -> tuple[Path, Path | None]:
    if not path.is_dir():
        return path, None
    files = [file for file in sorted(path.iterdir()) if file.name.endswith(_SUFFIXES)]
    metas = [file for file in files if file.name.startswith("meta")]
    reviews = [file for file in files if file not in metas]
    if len(reviews) != 1 or len(metas) > 1:
        raise DataError(
            f"{path} must hold one file of reviews and at most one meta file; "
            f"found {len(reviews)} and {len(metas)}.",
            "Name the file of reviews as the path, and the meta file as dataset.items.",
        )
    return reviews[0], metas[0] if metas else None


def _events(path: Path) -> pl.LazyFrame:
    require_file(path)
    require_utf8(path)
    if ".json" in path.name:
        return _renamed(_scan_json(path, _REVIEW), path)
    with open_binary(path) as stream:
        content = stream.read()
    first = content.split(b"\n", 1)[0].decode()
    headed = any(name in first.split(",") for name in _NAMES[USER])
    names = None if headed else [USER, ITEM, RATING, TIME]  # 2014: no header
    return _renamed(parse_table(content, path, separator=",", names=names).lazy(), path)


def _renamed(frame: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    available = frame.collect_schema().names()
    chosen: dict[str, str] = {}
    for ours, theirs in _NAMES.items():
        names = [name for name in (ours, *theirs) if name in available]
        require_columns([] if names else [theirs[0]], available, str(path), "")
        chosen[ours] = names[0]
    return frame.select(pl.col(theirs).alias(ours) for ours, theirs in chosen.items())


def _items(path: Path) -> pl.LazyFrame:
    require_file(path)
    require_utf8(path)
    frame = _scan_json(path, _META)
    key = "parent_asin" if "parent_asin" in frame.collect_schema().names() else "asin"
    return frame.rename({key: ITEM})


def _scan_json(path: Path, types: Mapping[str, Any]) -> pl.LazyFrame:
    # The types are given since free fields (prices, details) change theirs from line to line.
    try:
        first = pl.read_ndjson(_first_lines(path), infer_schema_length=None).columns
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} is no JSONL: {str(error).splitlines()[0]}") from error
    return pl.scan_ndjson(path, schema={name: types[name] for name in types if name in first})


def _first_lines(path: Path) -> bytes:
    with open_binary(path) as stream:
        return b"".join(line for _, line in zip(range(20), stream, strict=False))
