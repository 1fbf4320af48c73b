"""Where a named source may be: the path given, `$RECDISTILL_DATA`, our cache, its publisher, a registry."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import platformdirs

from recdistill.data.sources import wheel
from recdistill.data.sources.download import download
from recdistill.errors import DataError, SourceUnavailableError
from recdistill.files import atomic_folder

ENVIRONMENT: Final = "RECDISTILL_DATA"
_GROUPLENS: Final = "https://files.grouplens.org/datasets/movielens"

Fetch = Callable[[str, Path, str | None], None]
Extract = Callable[[Path], None]


@dataclass(frozen=True)
class Published:
    """A data set that has a publisher.

    Attributes:
        folder: its name under `$RECDISTILL_DATA`, and the folder inside its archive.
        md5: the published checksum of the archive; None where the publisher keeps changing the file.
        fallback: another way to get it, and what that is called.
    """

    folder: str
    md5: str | None = None
    fallback: tuple[str, Extract] | None = None

    @property
    def url(self) -> str:
        """The official address."""
        return f"{_GROUPLENS}/{self.folder}.zip"


PUBLISHED: Final = {
    "movielens-100k": Published(
        "ml-100k",
        "0e33842e24a9c977be4e0107933c0723",
        ("the copy in the RecBole wheel", wheel.extract_100k),
    ),
    "movielens-1m": Published("ml-1m", "c4d9eecfca2ab87c1945afe126590906"),
    "movielens-latest-small": Published("ml-latest-small"),
}


def _download(url: str, target: Path, md5: str | None) -> None:
    download(url, target, md5=md5)


@dataclass(frozen=True)
class Finder:
    """Looks for published data sets, place after place.

    Attributes:
        holds: says whether a folder holds the data set, by name.
        cache: where downloads are kept.
        fetch: downloads a file.
    """

    holds: Callable[[str, Path], bool]
    cache: Path = platformdirs.user_cache_path("recdistill") / "sources"
    fetch: Fetch = _download

    def find(self, name: str, path: Path | None) -> Path:
        """The folder of the data set `name`.

        Raises:
            DataError: `path` is given but does not hold it.
            SourceUnavailableError: it is nowhere; the message lists every place that was tried.
        """
        if path is not None:
            if not self.holds(name, path):
                raise DataError(f"{path} does not hold {name}.", "Check dataset.path.")
            return path
        local = [*self._configured(PUBLISHED[name]), self.cache / PUBLISHED[name].folder]
        found = next((folder for folder in local if self.holds(name, folder)), None)
        return found or self._fetched(name, [f"{folder}: not there" for folder in local])

    def _configured(self, published: Published) -> list[Path]:
        configured = os.environ.get(ENVIRONMENT)
        return [Path(configured) / published.folder, Path(configured)] if configured else []

    def _fetched(self, name: str, tried: list[str]) -> Path:
        published = PUBLISHED[name]
        folder = self.cache / published.folder
        official: Extract = partial(self._unpacked, published)
        ways = [(published.url, official)]
        ways += [published.fallback] if published.fallback else []
        for what, way in ways:
            try:
                way(folder)
            except SourceUnavailableError as error:
                tried.append(f"{what}: {error.message}")
                continue
            if self.holds(name, folder):
                return folder
            tried.append(f"{what}: does not hold the files expected")
        raise SourceUnavailableError(
            f"{name} was not found. Tried:\n" + "\n".join(f"  - {line}" for line in tried),
            f"Get {published.url} on another machine, unpack it, and set dataset.path to the folder "
            f"or {ENVIRONMENT} to the folder that holds {published.folder}/.",
        )

    def _unpacked(self, published: Published, folder: Path) -> None:
        archive = self.cache / f"{published.folder}.zip"
        self.fetch(published.url, archive, published.md5)
        try:
            with zipfile.ZipFile(archive) as content, atomic_folder(folder) as staging:
                _extract(content, published.folder, staging)
        except zipfile.BadZipFile as error:
            archive.unlink(missing_ok=True)
            raise SourceUnavailableError(f"{archive} is no whole zip file: {error}") from error


def _extract(content: zipfile.ZipFile, inside: str, folder: Path) -> None:
    """Write the plain files of one folder of an archive; their bare names only, so nothing can escape."""
    for member in content.infolist():
        place = Path(member.filename)
        if place.parent == Path(inside) and not member.is_dir():
            (folder / place.name).write_bytes(content.read(member))
