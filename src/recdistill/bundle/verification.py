"""Read a bundle: every byte is checked before anything is parsed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from recdistill.bundle.manifest import MANIFEST, SIGNATURE, FileEntry, Manifest, parse_manifest
from recdistill.bundle.places import Data, Place
from recdistill.errors import BundleError

_LARGEST_MANIFEST: Final = 1 << 20
_SIGNATURE_SIZE: Final = 202


Signed = Callable[[str, bytes, bytes | None], None]
"""Refuses, with a `BundleError`, a place whose manifest has a signature that it does not want, or none."""


def read_verified(
    place: Place, signed: Signed | None = None
) -> tuple[Manifest, Mapping[str, Data]]:
    """The manifest and the bytes of every file that it lists, in memory; `signed` is asked before all else.

    What was checked is what is returned: nothing is read twice, so nothing can change in between.

    Raises:
        BundleError: a file is missing, extra, a link, of another size or content than the manifest says,
            or the manifest itself is damaged.
    """
    found = Counter(place.names())
    _require(place, found, {MANIFEST})
    data = read_manifest(place)
    if signed:
        signature = place.read(SIGNATURE, _SIGNATURE_SIZE) if found[SIGNATURE] else None
        signed(str(place), data, None if signature is None else bytes(signature))
    manifest = parse_manifest(data)
    expected = {MANIFEST, *manifest.files}
    _require(place, found, expected)
    may = {SIGNATURE, *expected}
    if extra := sorted(repr(name)[1:-1] for name in found if name not in may or found[name] > 1):
        raise BundleError(
            f"{place} holds what does not belong to a bundle: {', '.join(extra)}.",
            "Remove it: only files with a checksum in the manifest may lie in a bundle.",
        )
    contents = {name: _checked(place, name, entry) for name, entry in manifest.files.items()}
    return manifest, contents


def read_manifest(place: Place) -> bytes:
    """The bytes of the manifest, whatever they are.

    Raises:
        BundleError: they cannot be read.
    """
    return bytes(place.read(MANIFEST, _LARGEST_MANIFEST))


def _require(place: Place, found: Counter[str], expected: set[str]) -> None:
    if missing := sorted(expected - set(found)):
        raise BundleError(f"{place} is no whole bundle: {', '.join(missing)} missing.")


def _checked(place: Place, name: str, entry: FileEntry) -> Data:
    data = place.read(name, at_most=entry.size)
    if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise BundleError(
            f"{place}: {name} is damaged: its content is not what the manifest says.",
            "Copy or export the bundle again.",
        )
    return data
