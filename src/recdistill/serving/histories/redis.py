"""Histories in Redis or Valkey, shared by several servers: acknowledged when the append-only file is flushed."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from recdistill.errors import ConfigError, MissingExtraError, StorageError
from recdistill.serving.histories.contract import Event, EventConflictError, only

_USER, _PSEUDONYMS = b"recdistill:user:", "recdistill:pseudonyms"
_PLACE, _ID = 8, 16
"""Bytes of a member of a user's sorted set: number of arrival, id; then the item."""
_NEEDED = {"appendonly": "yes", "appendfsync": "always"}
_PATIENCE = 5.0


class RedisHistories:
    """One server of Redis 6 or later, or of Valkey (no cluster). A verb is one command or script: whole, or absent."""

    def __init__(self, url: str, pseudonyms: str) -> None:
        """`pseudonyms` names the key with which users are hashed (`Pseudonyms.identity`).

        Raises:
            StorageError: the server cannot be reached.
            ConfigError: it does not flush what it acknowledges, or its users are hashed with another key.
            MissingExtraError: the client is not installed.
        """
        try:
            import redis
        except ImportError:
            raise MissingExtraError("Histories in Redis", "redis") from None
        self._troubles = redis.RedisError
        with self._refusals_named():
            self._redis: Any = redis.Redis.from_url(
                url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE
            )
            self._append, self._forget = (
                self._redis.register_script(_script(name)) for name in ("append", "forget")
            )
            self._require_durable()
            self._redis.set(_PSEUDONYMS, pseudonyms, nx=True)
            known = self._redis.get(_PSEUDONYMS).decode()
        if known != pseudonyms:
            raise ConfigError(
                "The users in this Redis are hashed with another key than this one.",
                "Bring back that key, or begin with another database.",
            )

    def append(self, events: Sequence[Event]) -> int:
        """See `Histories`."""
        return only(self.append_many([events]))

    def append_many(self, requests: Sequence[Sequence[Event]]) -> list[int | EventConflictError]:
        """See `Histories`. The server flushes its file once for all that it reads at once."""
        with self._refusals_named():
            pipeline = self._redis.pipeline(transaction=False)
            for events in requests:
                values = [v for e in events for v in (e.id, e.user, e.item, repr(e.at))]
                self._append(args=values, client=pipeline)
            outcomes: list[int] = pipeline.execute()
        return [new if new >= 0 else EventConflictError(-1 - new) for new in outcomes]

    def latest(self, user: bytes, number: int) -> list[str]:
        """See `Histories`."""
        with self._refusals_named():
            members: list[bytes] = self._redis.zrevrange(_USER + user, 0, number - 1)
        return [member[_PLACE + _ID :].decode() for member in members][::-1]

    def export(self, user: bytes) -> list[Event]:
        """See `Histories`."""
        with self._refusals_named():
            pairs: list[tuple[bytes, float]] = self._redis.zrange(
                _USER + user, 0, -1, withscores=True
            )
        return [
            Event(member[_PLACE : _PLACE + _ID], user, member[_PLACE + _ID :].decode(), at)
            for member, at in pairs
        ]

    def forget(self, user: bytes) -> int:
        """See `Histories`. The append-only file is begun anew, so that it does not remember; that takes a moment."""
        with self._refusals_named():
            forgotten = int(self._forget(args=[user]))
            self._begin_file_anew()
        return forgotten

    def close(self) -> None:
        """See `Histories`."""
        self._redis.close()

    def _begin_file_anew(self) -> None:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self._redis.bgrewriteaof()
                return
            except self._troubles:  # one is under way, begun before this user was forgotten
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def _require_durable(self) -> None:
        for name, needed in _NEEDED.items():
            if self._redis.config_get(name).get(name) != needed:
                raise ConfigError(
                    f"This Redis acknowledges what a crash would lose: {name} is not '{needed}'.",
                    f"redis-cli CONFIG SET {name} {needed} (and in its configuration file).",
                )

    @contextmanager
    def _refusals_named(self) -> Generator[None, None, None]:
        try:
            yield
        except self._troubles as error:
            # Not its words: they may hold the address, and with it a password.
            raise StorageError(
                f"Redis does not do what it is asked ({type(error).__name__}).",
                "Is it there, and may this user run scripts and CONFIG GET?",
            ) from error


def _script(name: str) -> str:
    return files("recdistill.serving.histories").joinpath(f"{name}.lua").read_text("utf-8")
