"""Which of a folder's bundles answers: a small file that is replaced whole, by hand or by `recdistill promote`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from recdistill.errors import ConfigError, nearest
from recdistill.files import write_text
from recdistill.settings import Settings

POINTER = "current.json"
_MOST_KEPT = 20

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class Pointing(Settings):
    """The content of a pointer: names of folders beside it, so that it can lead nowhere else."""

    bundle: Name
    before: tuple[Name, ...] = ()
    """What was current before, the latest last."""


class Pointer:
    """The pointer of a folder of bundles."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / POINTER

    def read(self) -> Pointing:
        """What it says.

        Raises:
            ConfigError: there is none, or it is damaged.
        """
        try:
            return Pointing.model_validate_json(self.path.read_bytes())
        except OSError as error:
            raise ConfigError(
                f"Cannot read {self.path}: {error.strerror}.",
                f"Choose a bundle: recdistill promote {self.folder} NAME",
            ) from None
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            raise ConfigError(f"{self.path} is no pointer: {first['msg']}.") from None

    @property
    def bundle(self) -> Path:
        """The bundle that it points at.

        Raises:
            ConfigError: it cannot be read.
        """
        return self.folder / self.read().bundle

    def stamp(self) -> tuple[int, int] | None:
        """Something that changes when the file does; `None` where there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def promote(self, name: str) -> None:
        """Point at another bundle. Whether it is any good is for the caller to see first.

        Raises:
            ConfigError: there is no such folder.
            StorageError: the disk refused it.
        """
        known = self.names()
        if name not in known:
            raise ConfigError(f"There is no bundle '{name}' here.", nearest(name, known))
        now = self.read() if self.path.exists() else None
        before = (*now.before, now.bundle)[-_MOST_KEPT:] if now else ()
        self._write(Pointing(bundle=name, before=before))

    def roll_back(self) -> str:
        """Point at what was current before; returns its name.

        Raises:
            ConfigError: nothing was.
            StorageError: the disk refused it.
        """
        now = self.read()
        if not now.before:
            raise ConfigError(f"Before {now.bundle} no bundle was current.")
        self._write(Pointing(bundle=now.before[-1], before=now.before[:-1]))
        return now.before[-1]

    def names(self) -> list[str]:
        """The folders that it may point at."""
        folders = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(path.name for path in folders if path.is_dir() and not path.is_symlink())

    def _write(self, pointing: Pointing) -> None:
        write_text(self.path, pointing.model_dump_json() + "\n")
