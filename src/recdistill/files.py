"""Files that are whole or absent: atomic writes, and the hashes that say what a file holds."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recdistill.errors import StorageError

_DEEPEST = 100
"""So many brackets within each other are read of what others wrote."""
_HALVES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
"""Escapes in JSON: a character of two halves, a half alone, and any other, a backslash's own too."""


@contextmanager
def atomic_path(path: Path, mode: int = 0o644) -> Generator[Path, None, None]:
    """Give a temporary path beside `path`; move it into place, with permissions `mode`, only if the block succeeds.

    A reader sees the old file or the new one, never a part; an error or a kill leaves the old one
    as it was. The file and then its directory are flushed to disk before and after the rename.

    Raises:
        StorageError: the disk refused the write (full, read-only, no permission).
    """
    with _refusals_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            _flush(temporary)
            temporary.chmod(mode)
            temporary.replace(path)
            _flush(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Generator[Path, None, None]:
    """Give a temporary folder beside `path` that takes its place only if the block succeeds.

    A `path` that is already there steps aside for an instant in which a reader finds neither, and
    a kill leaves none; where that matters, give every generation a name of its own.

    Raises:
        StorageError: the disk refused a write.
    """
    staging = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _refusals_named(path):
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
            yield staging
            for file in (staging, *staging.rglob("*")):
                _flush(file)
            _swap_folder(staging, path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def remove_leftovers(folder: Path, of: str = "*") -> None:
    """Remove what killed atomic writes left in `folder`, which nobody else may be writing to.

    Where others keep files too, `of` names the file or folder whose leftovers go.
    """
    written = "*" if of == "*" else f"{of}.*"
    for suffix in ("tmp", "old"):
        for path in folder.glob(f".{written}.{suffix}"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def _refusals_named(path: Path) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        if _is_about_another_file(error, path):
            raise
        raise StorageError(
            f"Cannot write {path}: {error.strerror or error}.",
            "Free some space or choose another folder; what was there before is unchanged.",
        ) from error


def _is_about_another_file(error: OSError, path: Path) -> bool:
    """Whether the error names a file elsewhere, as when the block failed to read its input."""
    target = path.absolute()
    named = [Path(os.fsdecode(name)).absolute() for name in _file_names(error)]
    return bool(named) and not any(
        at in (target, *target.parents) or f"/.{target.name}." in str(at) for at in named
    )


def _file_names(error: OSError) -> list[str | bytes]:
    names = (error.filename, error.filename2)
    return [name for name in names if isinstance(name, str | bytes)]


def _swap_folder(staging: Path, path: Path) -> None:
    # Folders cannot be replaced in one rename: the old one steps aside first and goes last.
    aside = path.with_name(f".{path.name}.{os.getpid()}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if path.exists():
        path.rename(aside)
    staging.rename(path)
    _flush(path.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; the caller turns a missing or damaged file into its own kind of error."""
    return json.loads(path.read_text(encoding="utf-8"))


def parse_json(text: str | bytes) -> Any:
    """What a text of somebody else's holds, as JSON; halves of characters, which it can spell and no file takes, become
    `\N{REPLACEMENT CHARACTER}`.

    Raises:
        ValueError: it is no JSON, or goes deeper than anybody means: models that repeat themselves open bracket after
            bracket, and whoever walks through such a thing falls.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "replace")
    try:
        found = json.loads(_HALVES.sub(_whole, text) if "\\u" in text else text)
    except RecursionError as error:
        raise ValueError("brackets within brackets without end") from error
    if _deeper(found, _DEEPEST):
        raise ValueError(f"brackets within brackets, more than {_DEEPEST} deep")
    return found


def _whole(escape: re.Match[str]) -> str:
    return r"\ufffd" if escape["half"] else escape[0]


def _deeper(value: Any, limit: int) -> bool:
    level: list[Any] = [value] if isinstance(value, list | dict) else []
    for _ in range(limit):
        inside = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for part in inside for one in part if isinstance(one, list | dict)]
    return bool(level)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_hash(value: Mapping[str, Any] | list[Any] | str) -> str:
    """A short hash (16 hex digits) of a JSON-able value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
