"""The public keys of an issuer: fetched, kept for a while, and asked for again when a token names one that is new."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import jwt

from recdistill.errors import ConfigError
from recdistill.serving.tokens.configuration import TokenConfig, require_safe_address

_LARGEST: Final = 1 << 18
_PATIENCE: Final = 3.0
_PAUSE: Final = 10.0
"""Seconds between fetches that tokens with unknown keys may cause: anybody can make those up."""
_LONGEST: Final = 12
"""Times `refresh` for which keys hold that cannot be fetched again."""
_DISCOVERY: Final = "/.well-known/openid-configuration"


class KeySet:
    """Keys by id. Fetches run in a thread; who asks for a key that is known does not wait for them."""

    def __init__(self, config: TokenConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched = self._tried = -math.inf
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, name: str | None) -> jwt.PyJWK | None:
        """The key that a token names; `None` where the issuer has none such, or cannot be asked."""
        age = self._clock() - self._fetched
        if age > _LONGEST * self._config.refresh:
            self._keys = {}
        if name not in self._keys and self._may_fetch():
            await asyncio.shield(self._fetch())
        elif age > self._config.refresh and self._may_fetch():
            self._fetch()  # meanwhile those known hold
        return self._keys.get(name)

    def load(self) -> None:
        """Fetch now, in this thread.

        Raises:
            ConfigError: the keys cannot be had.
        """
        self._tried = self._clock()
        self._keys = usable(fetched(self._config))
        self._fetched = self._clock()

    def _may_fetch(self) -> bool:
        under_way = self._fetching is not None and not self._fetching.done()
        return under_way or self._clock() - self._tried > _PAUSE

    def _fetch(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.ensure_future(self._again())
        return self._fetching

    async def _again(self) -> None:
        try:
            await asyncio.to_thread(self.load)
        except ConfigError:
            return  # those known hold, for a while


def fetched(config: TokenConfig) -> dict[str, Any]:
    """The issuer's set of keys.

    Raises:
        ConfigError: it cannot be had, or is none.
    """
    try:
        if config.jwks is not None and "://" not in config.jwks:
            return _object(Path(config.jwks).read_bytes())
        with httpx.Client(timeout=_PATIENCE, follow_redirects=False) as http:
            return _asked(http, config.jwks or _discovered(http, config.issuer))
    except (OSError, ValueError, httpx.HTTPError) as error:
        raise ConfigError(
            f"The keys of {config.issuer} cannot be had: {type(error).__name__}.",
            "Is `jwks` right? It is a file, or an https address that answers without redirects.",
        ) from error


def usable(content: dict[str, Any]) -> dict[str | None, jwt.PyJWK]:
    """Public keys for signatures, by id. What is secret, for something else or malformed is passed over.

    Raises:
        ConfigError: there is none.
    """
    listed = content.get("keys")
    found: dict[str | None, jwt.PyJWK] = {}
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict) or each.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        if each.get("use") not in (None, "sig") or "d" in each:
            continue
        try:
            found[each.get("kid")] = jwt.PyJWK(each)
        except jwt.PyJWTError:
            continue
    if not found:
        raise ConfigError("The issuer's set holds no public key for signatures.")
    return found


def _discovered(http: httpx.Client, issuer: str) -> str:
    said = _asked(http, issuer.rstrip("/") + _DISCOVERY)
    if said.get("issuer") != issuer or not isinstance(said.get("jwks_uri"), str):
        raise ValueError("the issuer's configuration is about somebody else")
    require_safe_address(said["jwks_uri"])
    return said["jwks_uri"]


def _asked(http: httpx.Client, address: str) -> dict[str, Any]:
    data = b""
    with http.stream("GET", address) as answer:
        if answer.status_code != 200:
            raise ValueError(f"status {answer.status_code}")
        for part in answer.iter_bytes():
            data += part
            if len(data) > _LARGEST:
                raise ValueError("too large")
    return _object(data)


def _object(data: bytes) -> dict[str, Any]:
    content = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError("no object")
    return content
