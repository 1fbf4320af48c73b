"""Where a bundle lies: a folder, one file, or either at a URL. It is asked for bytes by name, and not trusted."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from recdistill.errors import BundleError, ConfigError, MissingExtraError

_NO_LINKS: Final = "A bundle holds regular files, no links."
_AGAIN: Final = "Copy or export the bundle again."


Data = bytes | memoryview
"""The content of a file: in memory, or a view of memory that several processes share."""


class Place(Protocol):
    """Files by name; `str()` of it is for messages."""

    def names(self) -> list[str]:
        """All that lies there; a name may come twice."""
        ...

    def read(self, name: str, at_most: int) -> Data:
        """The bytes of a file; one byte more than `at_most` if it is larger."""
        ...


@dataclass(frozen=True)
class Folder:
    """A folder of this machine. No link is followed, nor does anything block."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def names(self) -> list[str]:
        """See `Place`."""
        return [path.name for path in self.path.iterdir()]

    def read(self, name: str, at_most: int) -> bytes:
        """See `Place`.

        Raises:
            BundleError: it is no regular file, or a link.
        """
        return read_regular(self.path / name, at_most)


def read_regular(path: Path, at_most: int | None = None) -> bytes:
    """The bytes of a regular file that is no link; one byte more than `at_most` if it is larger.

    Raises:
        BundleError: it is none, or cannot be read.
    """
    handle = _open(path)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise BundleError(f"{path} is no regular file of its own.", _NO_LINKS)
        wanted = status.st_size if at_most is None else min(at_most, status.st_size)
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return stream.read(wanted + 1)
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    try:
        # A pipe must not block the open, and a link must not be followed even if it appears right now.
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise BundleError(f"Cannot read {path}: {error.strerror}.", _NO_LINKS) from None


class Archive:
    """A zip file in memory. Its members are stored, not deflated: what unpacks to nothing more cannot explode."""

    def __init__(self, data: bytes, told: str) -> None:
        """`told` names it in messages.

        Raises:
            BundleError: the bytes are no zip file.
        """
        self._told = told
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError) as error:
            raise BundleError(f"{told} is no bundle: {error}.", _AGAIN) from None

    def __str__(self) -> str:
        return self._told

    def names(self) -> list[str]:
        """See `Place`."""
        return [member.filename for member in self._zip.infolist()]

    def read(self, name: str, at_most: int) -> bytes:
        """See `Place`.

        Raises:
            BundleError: the member is packed in another way than bundles are, or damaged.
        """
        try:
            member = self._zip.getinfo(name)
            # Bit 0 of the flags is encryption.
            if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                raise BundleError(f"{self._told}: {name} is not stored as it is.", _AGAIN)
            with self._zip.open(member) as stream:
                return stream.read(at_most + 1)
        except (
            zipfile.BadZipFile,
            KeyError,
            ValueError,
            NotImplementedError,
            EOFError,
            OSError,
        ) as error:
            raise BundleError(f"{self._told}: {name} cannot be read: {error}.", _AGAIN) from None


@dataclass(frozen=True)
class Remote:
    """A folder of a file system that `fsspec` knows."""

    system: Any
    path: str

    def __str__(self) -> str:
        return self.system.unstrip_protocol(self.path)

    def names(self) -> list[str]:
        """See `Place`."""
        listed = _asked(self, lambda: self.system.ls(self.path, detail=False))
        return [str(path).rstrip("/").rsplit("/", 1)[-1] for path in listed]

    def read(self, name: str, at_most: int) -> bytes:
        """See `Place`.

        Raises:
            BundleError: the store does not give it.
        """
        path = f"{self.path.rstrip('/')}/{name}"
        return _asked(self, lambda: self.system.cat_file(path, start=0, end=at_most + 1))


def _asked(place: Remote, ask: Any) -> Any:
    try:
        return ask()
    except Exception as error:
        # Every store has exceptions of its own, and the reader needs one.
        raise BundleError(f"{place} cannot be read: {error}.", "Is the address right?") from error


def place_of(target: Path | str) -> Place:
    """A folder, a single file, or a URL (`s3://…`, `memory://…`) of either.

    Raises:
        BundleError: nothing is there.
        ConfigError: no file system is known by that name.
        MissingExtraError: `fsspec` is not installed.
    """
    if "://" in str(target):
        return _remote(str(target))
    path = Path(target)
    if path.is_dir():
        return Folder(path)
    if path.is_file():
        return Archive(read_regular(path), str(path))
    raise BundleError(
        f"There is no bundle at {path}.", "`recdistill export` writes one into a run's folder."
    )


def _remote(url: str) -> Place:
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError("Reading a bundle from a URL", "remote") from None
    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{url}: {error}", "Its file system may need a package.") from None
    place = Remote(system, path)
    if _asked(place, lambda: system.isdir(path)):
        return place
    return Archive(_asked(place, lambda: system.cat_file(path)), url)
