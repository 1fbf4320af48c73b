"""Text files: strict UTF-8, plain or gzipped."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recdistill.errors import DataError

_CHUNK = 1 << 24


def open_binary(path: Path) -> io.BufferedIOBase:
    """Open a file for reading bytes, through gzip if its name says so."""
    return gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb")


def require_utf8(path: Path) -> None:
    """Refuse a file that is not UTF-8 before a parser sees it, so that nothing is replaced.

    Raises:
        DataError: naming the file, the line and the byte.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    seen, lines = 0, 1
    with open_binary(path) as stream:
        while True:
            chunk = _read(stream, path)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                offset = seen - pending + error.start
                line = lines + chunk[: max(error.start - pending, 0)].count(b"\n")
                raise DataError(
                    f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} "
                    f"at offset {offset} (line {line}).",
                    "Convert the file: iconv -f LATIN1 -t UTF-8 (or whatever it was written in).",
                ) from error
            if not chunk:
                return
            seen += len(chunk)
            lines += chunk.count(b"\n")


def _read(stream: io.BufferedIOBase, path: Path) -> bytes:
    try:
        return stream.read(_CHUNK)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read: {error}.", "The file is damaged; get it again."
        ) from error


def read_separated(
    path: Path, separator: str, names: list[str], *, encoding: str = "utf-8"
) -> pl.DataFrame:
    """Read a table without a header and without quotes; every column is text.

    `separator` may be longer than a character (MovieLens writes `::`).

    Raises:
        DataError: the file is missing, damaged, or has another number of columns.
    """
    require_file(path)
    with open_binary(path) as stream:
        content = stream.read()
    text = content if encoding == "utf-8" else content.decode(encoding).encode("utf-8")
    if encoding == "utf-8":
        require_utf8(path)
    if len(separator) > 1:
        text, separator = text.replace(separator.encode(), b"\x1f"), "\x1f"
    return parse_table(text, path, separator=separator, names=names)


def parse_table(
    text: bytes, path: Path, *, separator: str, names: list[str] | None = None
) -> pl.DataFrame:
    """Parse delimited text; all columns are text. With `names` there is no header and no quoting.

    Raises:
        DataError: the text does not have the same columns on every line.
    """
    quote = '"' if names is None else None
    try:
        frame = pl.read_csv(
            io.BytesIO(text),
            separator=separator,
            has_header=names is None,
            quote_char=quote,
            infer_schema=False,
        )
    except pl.exceptions.NoDataError as error:
        raise DataError(f"{path} is empty.") from error
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} cannot be parsed: {_first_line(error)}") from error
    if names is None:
        return frame
    if len(frame.columns) != len(names):
        raise DataError(
            f"{path} has {len(frame.columns)} columns; expected {len(names)}: {', '.join(names)}."
        )
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def require_file(path: Path) -> None:
    """Refuse a path that is no file.

    Raises:
        DataError: naming the file.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")


def only_file(found: Sequence[Path], folder: Path, what: str) -> Path:
    """The one file that was `found` in a folder.

    Raises:
        DataError: there is none, or more than one to choose from.
    """
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise DataError(
            f"{folder} must hold one {what}; found: {names}.",
            "Name the file itself as the path.",
        )
    return found[0]


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
