"""Records of any file that models' answers are kept in, and the fields in them.

A field is a path: `book.title` is `title` inside `book`. Where a value on the way is text, it is read as the JSON that
models write into text. `@key` is the key under which an object of objects has the record, `@value` a record that is no
object itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import polars as pl

from recdistill.data.sources.plain_text import open_binary, require_file, require_utf8
from recdistill.data.sources.tables import scan_table
from recdistill.errors import DataError, nearest
from recdistill.files import parse_json

KEY: Final = "@key"
VALUE: Final = "@value"
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Records:
    """Attributes:
    rows: one a statement, in the order of the file.
    damaged: lines that are no JSON, the first few of them as they are.
    lines_damaged: how many there are.
    """

    rows: list[Record]
    damaged: tuple[str, ...] = ()
    lines_damaged: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def fields(self) -> list[str]:
        """What the first records have."""
        return list(dict.fromkeys(name for row in self.rows[:20] for name in row))


def read_records(path: Path) -> Records:
    """The records of a table (Parquet, CSV, TSV), of a JSON file, or of JSON lines (`.jsonl`, `.log`), gzipped or not.

    Lines of a `.log` that are no JSON are passed over and counted; in other files they are damage.

    Raises:
        DataError: the file is missing, damaged, of an unknown format, or holds no record.
    """
    require_file(path)
    read = _READERS.get(_suffix(path))
    records = read(path) if read else Records(_of_table(path))
    if not len(records):
        first = f", the first line being {records.damaged[0]!r}" if records.damaged else ""
        raise DataError(f"{path} holds no record{first}.", "Nothing can be learned from it.")
    return records


def pick(record: Record, field: str) -> Any:
    """The value at the end of a path; `None` where there is none."""
    found: Any = record
    for name in (field,) if field in record else field.split("."):
        found = _inside(opened(found), name)
    return found


def _inside(value: Any, name: str) -> Any:
    """The value of that name; of each, where there is a list of objects."""
    if isinstance(value, list):
        return [_inside(one, name) for one in cast("list[Any]", value)]
    return cast("Record", value).get(name) if isinstance(value, Mapping) else None


def require_field(records: Records, field: str, path: Path) -> None:
    """Refuse a field that no record has.

    Raises:
        DataError: naming those that are there.
    """
    if all(pick(row, field) is None for row in records.rows):
        raise DataError(
            f"No record of {path} has '{field}'.", nearest(field.split(".")[0], records.fields)
        )


def opened(value: Any) -> Any:
    """What text holds, where it holds JSON; models like to fence it."""
    if not isinstance(value, str):
        return value
    text = value.strip().removeprefix("```json").strip("` \n")
    if text[:1] not in ("{", "["):
        return value
    try:
        return parse_json(text)
    except ValueError:
        return value


def _of_table(path: Path) -> list[Record]:
    try:
        return [*scan_table(path).collect().to_dicts()]
    except pl.exceptions.PolarsError as error:
        first = str(error).strip().split("\n")[0]
        raise DataError(f"{path} cannot be read: {first}") from error


def _json(path: Path) -> Records:
    try:
        content = parse_json(_text(path))
    except ValueError as error:
        raise DataError(f"{path} is no JSON: {error}.") from error
    if isinstance(content, dict):
        named = cast("dict[str, Any]", content)
        return Records([{**_record(value), KEY: key} for key, value in named.items()])
    values = cast("list[Any]", content) if isinstance(content, list) else [content]
    return Records([_record(value) for value in values])


def _lines(path: Path) -> Records:
    rows, damaged = [], list[str]()
    for line in filter(
        str.strip, _text(path).split("\n")
    ):  # JSON may hold what `splitlines` cuts at
        try:
            rows.append(_record(parse_json(line)))
        except ValueError:
            damaged.append(line)
    if damaged and _suffix(path) != ".log":
        raise DataError(
            f"{path}: {len(damaged)} lines are no JSON, the first: {damaged[0][:80]!r}."
        )
    return Records(rows, tuple(line[:200] for line in damaged[:5]), len(damaged))


def _record(value: Any) -> Record:
    return cast("Record", value) if isinstance(value, dict) else {VALUE: value}


def _text(path: Path) -> str:
    require_utf8(path)
    with open_binary(path) as stream:
        return stream.read().decode("utf-8")


def _suffix(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix


_READERS = {".json": _json, ".jsonl": _lines, ".ndjson": _lines, ".log": _lines}


def scalars(value: Any) -> Iterator[Any]:
    """The strings and numbers in a value, lists unrolled."""
    if isinstance(value, list | tuple):
        for one in cast("list[Any]", value):
            yield from scalars(one)
    elif value is not None:
        yield value
