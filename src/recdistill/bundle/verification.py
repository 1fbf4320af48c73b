"""Read a bundle's folder: every byte is checked before anything is parsed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from recdistill.bundle.manifest import MANIFEST, FileEntry, Manifest, parse_manifest
from recdistill.errors import BundleError

_LARGEST_MANIFEST = 1 << 20


def read_verified(folder: Path) -> tuple[Manifest, Mapping[str, bytes]]:
    """The manifest and the bytes of every file that it lists, in memory.

    What was checked is what is returned: nothing is read twice, so nothing can change in between.

    Raises:
        BundleError: a file is missing, extra, a link, of another size or content than the manifest says,
            or the manifest itself is damaged.
    """
    _check_folder(folder)
    manifest = parse_manifest(_read(folder / MANIFEST, at_most=_LARGEST_MANIFEST))
    _check_names(folder, {MANIFEST, *manifest.files})
    contents = {name: _checked(folder / name, entry) for name, entry in manifest.files.items()}
    return manifest, contents


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise BundleError(
            f"There is no bundle at {folder}.",
            "`recdistill export` writes one into a run's folder.",
        )
    if not (folder / MANIFEST).exists():
        raise BundleError(f"{folder} is no whole bundle: {MANIFEST} missing.")


def _check_names(folder: Path, expected: set[str]) -> None:
    found = {path.name for path in folder.iterdir()}
    if missing := sorted(expected - found):
        raise BundleError(f"{folder} is no whole bundle: {', '.join(missing)} missing.")
    if extra := sorted(found - expected):
        raise BundleError(
            f"{folder} holds what does not belong to a bundle: {', '.join(extra)}.",
            "Remove it: only files with a checksum in the manifest may lie in a bundle.",
        )


def _checked(path: Path, entry: FileEntry) -> bytes:
    data = _read(path, at_most=entry.size)
    if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise BundleError(
            f"{path} is damaged: its content is not what the manifest says.",
            "Copy or export the bundle again.",
        )
    return data


def _read(path: Path, at_most: int) -> bytes:
    """The bytes of a regular file that is no link; one byte more than `at_most` if it is larger."""
    handle = _open(path)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise BundleError(f"{path} is no regular file of its own.", "A bundle holds no links.")
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return stream.read(min(at_most, status.st_size) + 1)
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    try:
        # A pipe must not block the open, and a link must not be followed even if it appears right now.
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise BundleError(
            f"Cannot read {path}: {error.strerror}.", "A bundle holds regular files, no links."
        ) from None
