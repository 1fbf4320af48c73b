"""From a token to what its bearer may do."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jwt

from recdistill.serving.keys import Caller, Scope
from recdistill.serving.tokens.configuration import TokenConfig
from recdistill.serving.tokens.key_set import KeySet

_LONGEST: Final = 8192
_REQUIRED: Final = ["exp", "iss", "aud", "sub"]
_MOST_KNOWN: Final = 4096
_KNOWN_FOR: Final = 60.0
"""Seconds for which a signature that was checked need not be checked again; a token that expires is refused in time."""


@dataclass(frozen=True)
class Bearer:
    """Somebody with a token. The id names them in the journal and for the pace: a keyed hash."""

    id: str
    scopes: tuple[Scope, ...]


class Tokens:
    """Checks tokens of one issuer."""

    def __init__(
        self, config: TokenConfig, secret: bytes, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`secret` keys the names of bearers; `clock` tells how old the issuer's keys are."""
        self._config, self._secret = config, secret
        self.keys = KeySet(config, clock)
        self._known: dict[bytes, tuple[Bearer, float]] = {}

    async def find(self, token: str) -> Caller | None:
        """Who bears it; `None` for a token that is not the issuer's, not for here, or not for now."""
        if len(token) > _LONGEST:
            return None
        mark, now = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest(), time.time()
        bearer, until = self._known.get(mark, (None, 0.0))
        if bearer is not None and now < until:
            return bearer
        self._known.pop(mark, None)
        try:
            return await self._checked(token, mark, now)
        except (jwt.PyJWTError, UnicodeError, ValueError):
            return None

    async def _checked(self, token: str, mark: bytes, now: float) -> Bearer | None:
        head = jwt.get_unverified_header(token)
        if head.get("alg") not in self._config.algorithms or "crit" in head:
            return None
        key = await self.keys.key(head.get("kid"))
        if key is None:
            return None
        claims = self._claims(token, key)
        bearer = Bearer(
            self._name(claims), self._config.granted(_words(claims, self._config.claim))
        )
        while len(self._known) >= _MOST_KNOWN:
            self._known.pop(next(iter(self._known)), None)
        ends = float(claims["exp"]) + self._config.leeway
        self._known[mark] = (bearer, min(now + _KNOWN_FOR, ends))
        return bearer

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=list(self._config.algorithms),
            audience=self._config.audience,
            issuer=self._config.issuer,
            leeway=self._config.leeway,
            options={"require": _REQUIRED, "enforce_minimum_key_length": True},
        )

    def _name(self, claims: dict[str, Any]) -> str:
        who = f"{claims['iss']}\0{claims['sub']}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, who, "sha256").hex()[:8]


def _words(claims: dict[str, Any], claim: str) -> list[str]:
    said = claims.get(claim)
    if isinstance(said, str):
        return said.split()
    return [word for word in said if isinstance(word, str)] if isinstance(said, list) else []
