"""Which sources there are, and which one a configuration means."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from recdistill.data.sources.amazon import read_amazon
from recdistill.data.sources.locations import ENVIRONMENT, PUBLISHED, Finder
from recdistill.data.sources.log import Log
from recdistill.data.sources.movielens import read_1m, read_100k, read_latest_small
from recdistill.data.sources.movielens_ordered import read_ordered_1m
from recdistill.data.sources.recbole import read_recbole
from recdistill.data.sources.sequence_text import read_sequences
from recdistill.data.sources.tables import read_tables
from recdistill.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from recdistill.data.configuration import DatasetConfig

Reader = Callable[[Path, "DatasetConfig"], Log]


@dataclass(frozen=True)
class Format:
    """A way in which a log lies on disk.

    Attributes:
        marks: file patterns; a folder in which every one matches is of this format.
        read: reads a path.
    """

    marks: tuple[str, ...]
    read: Reader

    def recognises(self, path: Path) -> bool:
        """Whether `path` looks like this format."""
        if path.is_dir():
            return all(any(path.glob(mark)) for mark in self.marks)
        return len(self.marks) == 1 and path.match(self.marks[0])


def _plain(read: Callable[[Path], Log]) -> Reader:
    return lambda path, config: read(path)


# In the order in which a folder is tried; a folder that none recognises is one of tables.
FORMATS: Final[dict[str, Format]] = {
    "movielens-100k": Format(("u.data", "u.item"), _plain(read_100k)),
    "movielens-1m": Format(("ratings.dat", "movies.dat"), _plain(read_1m)),
    "movielens-1m-ordered": Format(
        ("ratings_no_timestamp.tsv.gz", "movies.dat"), _plain(read_ordered_1m)
    ),
    "movielens-latest-small": Format(("ratings.csv", "movies.csv"), _plain(read_latest_small)),
    "amazon-reviews": Format(("meta_*.json*",), read_amazon),
    "recbole": Format(("*.inter",), _plain(read_recbole)),
    "sequences": Format(("*.txt",), read_sequences),
    "tables": Format((), read_tables),
}
# The formats that a published data set comes in, the first one official.
_FORMATS_OF: Final = {
    "movielens-100k": ("movielens-100k", "recbole"),
    "movielens-1m": ("movielens-1m", "movielens-1m-ordered"),
    "movielens-latest-small": ("movielens-latest-small",),
}


def open_log(config: DatasetConfig, finder: Finder | None = None) -> Log:
    """The log that `config` names: a published data set, a format with a path, or just a path.

    A source that is neither is looked for as a file or folder under `$RECDISTILL_DATA` too, and so is a table of items.

    Raises:
        DataError: the source does not exist or cannot be read.
        SourceUnavailableError: a published data set is nowhere to be had.
    """
    name = config.source
    if config.items is not None:
        config = config.model_copy(update={"items": under_data(config.items)})
    if name in PUBLISHED:
        folder = (finder or Finder(holds)).find(name, config.path)
        return replace(_format_of(name, folder).read(folder, config), name=name)
    if name in FORMATS:
        if config.path is None:
            raise ConfigError(
                f"The source '{name}' needs dataset.path: the file or folder to read."
            )
        return FORMATS[name].read(_existing(config.path), config)
    path = _existing(under_data(name))
    found = next(known for known in FORMATS.values() if known.recognises(path) or not known.marks)
    return found.read(path, config)


def holds(name: str, folder: Path) -> bool:
    """Whether `folder` holds the published data set `name` in any of its formats."""
    return folder.is_dir() and any(FORMATS[known].recognises(folder) for known in _FORMATS_OF[name])


def _format_of(name: str, folder: Path) -> Format:
    return next(FORMATS[f] for f in _FORMATS_OF[name] if FORMATS[f].recognises(folder))


def under_data(name: str | Path) -> Path:
    """A path as it is, or under `$RECDISTILL_DATA` where nothing lies there."""
    configured = os.environ.get(ENVIRONMENT)
    if not Path(name).exists() and configured and (Path(configured) / name).exists():
        return Path(configured) / name
    return Path(name)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataError(
            f"There is no file or folder '{path}', and no source of that name.",
            nearest(str(path), FORMATS),
        )
    return path
