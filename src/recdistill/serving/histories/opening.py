"""From what the command line says to a store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from recdistill.errors import ConfigError
from recdistill.serving.histories.contract import Histories
from recdistill.serving.histories.redis import RedisHistories
from recdistill.serving.histories.sqlite import SqliteHistories
from recdistill.serving.pseudonyms import Pseudonyms, pseudonyms_from
from recdistill.serving.stock.store import StockStore

NONE = "none"
_FILE = "histories.sqlite"
_URLS = ("redis://", "rediss://", "unix://")


@dataclass(frozen=True)
class Store:
    """Where histories are kept, and under which names."""

    histories: Histories
    pseudonyms: Pseudonyms


def open_store(where: str | None, key_file: Path | None = None) -> Store | None:
    """The store that `where` names: a file (SQLite; by default in the user's data folder), a Redis by URL, or `none`.

    The key of the pseudonyms never lies beside what it hides: without a `key_file` it is kept with the user's settings.

    Raises:
        ConfigError: the key does not fit the store, or lies in its folder.
        StorageError: the store cannot be opened.
    """
    if where == NONE:
        return None
    if where and where.startswith(_URLS):
        pseudonyms = pseudonyms_from(key_file or _default_key())
        return Store(RedisHistories(where, pseudonyms.identity), pseudonyms)
    path = Path(where) if where else platformdirs.user_data_path("recdistill") / _FILE
    key_file = key_file or _default_key()
    if key_file.absolute().parent == path.absolute().parent:
        raise ConfigError(
            f"The pseudonym key {key_file} would lie beside the histories that it hides.",
            "Keep it in another folder, where copies of the store do not take it along.",
        )
    pseudonyms = pseudonyms_from(key_file)
    return Store(SqliteHistories(path, pseudonyms.identity), pseudonyms)


def open_stock(where: str | None, histories: str | None, dataset: str) -> StockStore | None:
    """Where items are kept that come, change and go: a file, or `none`. By default it lies beside the histories, one
    file a dataset; where no histories are kept, nothing is.

    Raises:
        StorageError: it cannot be opened.
    """
    if NONE in (where, where or histories):
        return None
    if where:
        return StockStore(Path(where))
    beside = Path(histories).parent if histories and not histories.startswith(_URLS) else None
    name = re.sub(r"[^\w.-]+", "-", dataset).strip(".-")
    folder = beside or platformdirs.user_data_path("recdistill")
    return StockStore(folder / f"items-{name}.sqlite")


def _default_key() -> Path:
    return platformdirs.user_config_path("recdistill") / "pseudonym.key"
