"""Any file or folder of Parquet, CSV, TSV or JSONL, with a mapping of columns: a row an event, or a row a user with the
list of their items, oldest first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from recdistill.data.columns import ITEM, RATING, TIME, USER
from recdistill.data.sources.histories import unrolled
from recdistill.data.sources.log import Log, require_columns
from recdistill.data.sources.plain_text import (
    open_binary,
    parse_table,
    require_file,
    require_utf8,
)
from recdistill.errors import DataError

if TYPE_CHECKING:
    from recdistill.data.configuration import Columns, DatasetConfig

_MAPPING_HINT = "Map it under dataset.columns, for example {user_id: reviewer}."
_ITEMS_HINT = "Map it under dataset.columns, for example {catalogue_id: asin}."


def read_tables(path: Path, config: DatasetConfig) -> Log:
    """The log in `path`: a file, or a folder of parts with perhaps a catalogue `items.*`."""
    parts, catalogue = _parts(path)
    catalogue = config.items or catalogue
    tables = {part: scan_table(part) for part in parts}
    listed = [_lists(table, config.columns) for table in tables.values()]
    if any(listed):
        events = _histories(tables, config.columns)
    else:
        frames = [_events(table, part, config.columns) for part, table in tables.items()]
        events = pl.concat(frames, how="vertical_relaxed")
    items = None if catalogue is None else read_items(catalogue, config.columns)
    files = (*parts, *([catalogue] if catalogue else []))
    untyped = any(_suffix(part) in _TEXT for part in parts)
    return Log(_stem(path), events, items, files, has_time=not any(listed), untyped=untyped)


def scan_table(path: Path) -> pl.LazyFrame:
    """A table of any of the formats; values of CSV and TSV files are text.

    Raises:
        DataError: the file is missing, damaged, not UTF-8, or of an unknown format.
    """
    require_file(path)
    scan = _SCANS.get(_suffix(path))
    if scan is None:
        raise DataError(f"{path} has an unknown format.", f"Known: {', '.join(_SCANS)}.")
    try:
        frame = scan(path)
        frame.collect_schema()  # a damaged file is noticed here and not in the middle of preparation
    except pl.exceptions.PolarsError as error:
        first = str(error).strip().split("\n")[0]
        raise DataError(f"{path} cannot be read: {first}") from error
    return frame


def read_items(path: Path, columns: Columns) -> pl.LazyFrame:
    """A table of items; its key is `catalogue_id` where that is given, else the mapped column, `item_id`, or `id`.

    Raises:
        DataError: the table cannot be read or has no key.
    """
    frame = scan_table(path)
    available = frame.collect_schema().names()
    usual = (columns.item_id, ITEM, "id")
    wanted = (columns.catalogue_id,) if columns.catalogue_id else usual
    keys = [name for name in wanted if name in available]
    require_columns([] if keys else wanted[:1], available, str(path), _ITEMS_HINT)
    others = [name for name in available if name != ITEM or name == keys[0]]
    return frame.select(others).rename({keys[0]: ITEM})


def catalogue_beside(path: Path) -> Path | None:
    """The table named `items` in the folder of `path`, if there is one."""
    beside = sorted(path.parent.iterdir())
    return next(
        (file for file in beside if _stem(file) == "items" and _suffix(file) in _SCANS), None
    )


def _parts(path: Path) -> tuple[list[Path], Path | None]:
    if not path.is_dir():
        return [path], None
    files = [file for file in sorted(path.iterdir()) if _suffix(file) in _SCANS]
    catalogues = [file for file in files if _stem(file) == "items"]
    parts = [file for file in files if file not in catalogues]
    if not parts:
        raise DataError(f"{path} holds no table.", f"Known formats: {', '.join(_SCANS)}.")
    return parts, catalogues[0] if catalogues else None


def _events(frame: pl.LazyFrame, path: Path, columns: Columns) -> pl.LazyFrame:
    available = frame.collect_schema().names()
    rating = columns.rating or (RATING if RATING in available else None)
    named = {USER: columns.user_id, ITEM: columns.item_id, TIME: columns.timestamp}
    named |= {RATING: rating} if rating else {}
    require_columns(named.values(), available, str(path), _MAPPING_HINT)
    return frame.select(pl.col(theirs).alias(ours) for ours, theirs in named.items())


def _lists(table: pl.LazyFrame, columns: Columns) -> bool:
    """Whether a row holds all items of a user."""
    return isinstance(table.collect_schema().get(columns.item_id), pl.List)


def _histories(tables: dict[Path, pl.LazyFrame], columns: Columns) -> pl.LazyFrame:
    """The events of tables with a list of items a user.

    Raises:
        DataError: another table has an event a row, or a user has several rows.
    """
    for part, table in tables.items():
        available = table.collect_schema().names()
        require_columns([columns.user_id, columns.item_id], available, str(part), _MAPPING_HINT)
        if not _lists(table, columns):
            raise DataError(
                f"{part} has an event a row, where other tables beside it have a list of items a user.",
                "Keep them in folders of their own.",
            )
    named = [pl.col(columns.user_id).alias(USER), pl.col(columns.item_id).alias(ITEM)]
    rows = pl.concat([table.select(named) for table in tables.values()], how="vertical_relaxed")
    return unrolled(rows.collect(), next(iter(tables))).lazy()


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix + path.suffix if path.suffix == ".gz" else path.suffix


def _stem(path: Path) -> str:
    return path.name.removesuffix(_suffix(path))


def _separated(separator: str) -> Callable[[Path], pl.LazyFrame]:
    def scan(path: Path) -> pl.LazyFrame:
        require_utf8(path)
        with open_binary(path) as stream:
            return parse_table(stream.read(), path, separator=separator).lazy()

    return scan


def _lines(path: Path) -> pl.LazyFrame:
    require_utf8(path)
    return pl.scan_ndjson(path, infer_schema_length=None)


_SCANS: dict[str, Callable[[Path], pl.LazyFrame]] = {
    ".parquet": pl.scan_parquet,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".jsonl": _lines,
    ".csv.gz": _separated(","),
    ".tsv.gz": _separated("\t"),
    ".jsonl.gz": _lines,
}
_TEXT = {suffix for suffix in _SCANS if suffix.startswith((".csv", ".tsv"))}
