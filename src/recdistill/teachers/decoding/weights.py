"""What the files of a language model hold: hashes, without reading what is named by its hash already."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from recdistill.files import content_hash, file_sha256

_DECIDING = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.py")
"""Weights, settings, tokenizer and chat template; and code, which runs only where it is trusted."""
_SHA256_DIGITS = 64


def files_hash(folder: Path) -> str:
    """A hash (16 hex digits) of all files that decide what a model says."""
    files = sorted({file for pattern in _DECIDING for file in folder.glob(pattern)})
    return content_hash({file.name: _sum(file) for file in files})


def _sum(file: Path) -> str:
    """The SHA-256 of a file; the hub's cache links to large files by it, so that they need not be read."""
    target = file.resolve()
    if target.parent.name == "blobs" and len(target.name) == _SHA256_DIGITS:
        return target.name
    state = target.stat()
    return _read_sum(target, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4096)
def _read_sum(file: Path, _changed: int, _size: int) -> str:
    return file_sha256(file)
