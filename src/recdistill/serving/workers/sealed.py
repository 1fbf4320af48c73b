"""A bundle's files in memory that nobody can change any more, mapped by all workers: the item table is there once.

The supervisor checks every byte before it seals them, and a worker checks again what it was handed. The bundle on the
disk may change or go: whoever takes a fallen worker's place gets what the others have.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recdistill.bundle.manifest import MANIFEST, TABLE
from recdistill.bundle.places import Data, place_of
from recdistill.bundle.signing import Trusted, signed_by
from recdistill.bundle.verification import read_verified
from recdistill.errors import StorageError


@dataclass(frozen=True)
class Sealed:
    """The files, by name: descriptors, which are handed to workers."""

    path: Path
    files: dict[str, int]

    def close(self) -> None:
        """Let go of them; whoever has mapped them keeps them."""
        for each in self.files.values():
            os.close(each)


def sealed(path: Path, trusted: Trusted | None = None) -> Sealed:
    """A bundle, checked and copied.

    Raises:
        BundleError: it is none, or damaged, or signed by nobody who is trusted.
        StorageError: there is no memory for it.
    """
    place = place_of(path)
    manifest, contents = read_verified(place, signed_by(trusted) if trusted else None)
    return Sealed(
        path,
        {
            name: _kept(data)
            for name, data in {MANIFEST: manifest.render().encode(), **contents}.items()
        },
    )


class Handed:
    """What a worker was handed, as a place to read a bundle from."""

    def __init__(self, told: str, names: Sequence[str], files: Sequence[int]) -> None:
        """`told` names it in messages; of each file `names` its name, and `files` its descriptor."""
        self._told, self._files = told, dict(zip(names, files, strict=True))

    def __str__(self) -> str:
        return self._told

    def names(self) -> list[str]:
        """See `Place`."""
        return list(self._files)

    def read(self, name: str, at_most: int) -> Data:
        """See `Place`. The item table is a view of shared memory, all else a copy."""
        file = self._files[name]
        size = min(os.fstat(file).st_size, at_most + 1)
        if name != TABLE or not size:
            return os.pread(file, size, 0)
        # Private: a shared mapping of what is sealed against writing is refused by older kernels. Nothing writes here.
        return memoryview(mmap.mmap(file, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))


def _kept(data: Data) -> int:
    """A file in memory with this content, sealed where the system can."""
    try:
        file = _nameless()
        with os.fdopen(os.dup(file), "wb") as stream:
            stream.write(data)
    except OSError as error:
        raise StorageError(f"No room for the bundle in memory: {error.strerror}.") from None
    if hasattr(os, "memfd_create"):
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
    return file


def _nameless() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("recdistill", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as temporary:
        return os.dup(temporary.fileno())
