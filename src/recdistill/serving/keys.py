"""API keys: shown once, stored hashed, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Protocol, get_args

from pydantic import Field, ValidationError

from recdistill.errors import ConfigError, nearest
from recdistill.files import atomic_path
from recdistill.serving.private_files import is_private
from recdistill.settings import Settings

Scope = Literal["recommend", "events", "metrics", "admin"]
"""What a key may do: ask; report what users did; read the metrics; see and forget users, change the server."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
_PREFIX = "rd"


class Caller(Protocol):
    """Who was let in."""

    @property
    def id(self) -> str:
        """For lists and logs: it tells nobody who somebody is, nor opens anything."""
        ...

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What they may do."""
        ...


class ApiKey(Settings):
    """What is kept of a key.

    Attributes:
        id: its public half, which names it in lists and logs.
        sha256: of its secret half. The secret is 256 random bits, so there is nothing for a slow hash to slow down.
    """

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    name: str = ""
    scopes: tuple[Scope, ...]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class KeyFile(Settings):
    """The content of a file of keys."""

    keys: tuple[ApiKey, ...] = ()


def make_key(scopes: Iterable[str], name: str = "") -> tuple[ApiKey, str]:
    """A new key: what is kept of it, and the key itself, `rd_ID_SECRET`, which is kept nowhere.

    Raises:
        ConfigError: a scope does not exist, or there is none.
    """
    wanted = set(scopes)
    for scope in sorted(wanted - {*SCOPES}):
        raise ConfigError(f"There is no scope '{scope}'.", nearest(scope, SCOPES))
    if not wanted:
        raise ConfigError("A key without a scope may do nothing.", nearest("", SCOPES))
    identity, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    granted: tuple[Scope, ...] = tuple(scope for scope in SCOPES if scope in wanted)
    return ApiKey(id=identity, name=name, scopes=granted, sha256=_hash(secret)), (
        f"{_PREFIX}_{identity}_{secret}"
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys of a file.

    Raises:
        ConfigError: the file is missing, damaged, or open to others than its owner.
    """
    try:
        with path.open("rb") as stream:
            if not is_private(os.fstat(stream.fileno())):
                raise ConfigError(
                    f"Others than its owner may read or change {path}.",
                    f"chmod 600 {path}",
                )
            return KeyFile.model_validate_json(stream.read()).keys
    except OSError as error:
        raise ConfigError(
            f"Cannot read the keys in {path}: {error.strerror}.",
            f"Make one: recdistill keys add --keys {path} --scope recommend",
        ) from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise ConfigError(f"{path} is no file of keys: {first['msg']}.") from None


def write_keys(path: Path, keys: Iterable[ApiKey]) -> None:
    """Write a file of keys that only its owner may read.

    Raises:
        StorageError: the disk refused it.
    """
    text = KeyFile(keys=tuple(keys)).model_dump_json(indent=2)
    with atomic_path(path, mode=0o600) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


class KeyRing:
    """The keys that open this server. A file is read again when it has changed, so that a revoked key stops working."""

    def __init__(self, keys: Iterable[ApiKey] = (), path: Path | None = None) -> None:
        """Given keys, and those of a file.

        Raises:
            ConfigError: the file cannot be read, or there is no key at all.
        """
        self._given = tuple(keys)
        self._file = _WatchedKeys(path) if path is not None else None
        if not self.keys():
            raise ConfigError(
                "There is no API key, so nobody could ask this server.",
                "Make one: recdistill keys add --keys FILE --scope recommend",
            )

    def keys(self) -> Mapping[str, ApiKey]:
        """The keys by id."""
        found = self._file.keys() if self._file else {}
        return {**found, **{key.id: key for key in self._given}}

    def find(self, token: str) -> ApiKey | None:
        """The key that this is, if it is one. How long it takes does not depend on how much of the secret is right."""
        prefix, _, rest = token.partition("_")
        identity, _, secret = rest.partition("_")
        key = self.keys().get(identity)
        # Somebody who made the id up waits as long as somebody whose secret is wrong.
        right = hmac.compare_digest(_hash(secret), key.sha256 if key else "0" * 64)
        return key if key is not None and right and prefix == _PREFIX else None


@dataclass
class _WatchedKeys:
    path: Path
    every: float = 1.0
    """Seconds between looks."""
    _looked: float = -1e9
    _stamp: tuple[int, int, int] = (0, 0, 0)
    _keys: Mapping[str, ApiKey] = field(default_factory=dict[str, ApiKey])

    def keys(self) -> Mapping[str, ApiKey]:
        now = time.monotonic()
        if now - self._looked >= self.every:
            self._look()
            self._looked = now
        return self._keys

    def _look(self) -> None:
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if stamp != self._stamp:
                self._keys, self._stamp = {key.id: key for key in read_keys(self.path)}, stamp
        except (OSError, ConfigError):
            if self._looked < 0:
                read_keys(self.path)  # says what is wrong, at the start
            # Later on a file that cannot be read opens to nobody, rather than to keys that may be revoked.
            self._keys, self._stamp = {}, (0, 0, 0)
