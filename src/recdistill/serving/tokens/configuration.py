"""Whose tokens open this server, and what for."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import Field, ValidationError, model_validator

from recdistill.errors import ConfigError
from recdistill.serving.keys import SCOPES, Scope
from recdistill.settings import Settings

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""What a token may be signed with: a private key, always. A shared secret or nothing at all cannot be said here."""


class TokenConfig(Settings):
    """One issuer."""

    issuer: Annotated[str, Field(min_length=1)]
    """What `iss` must be; where no `jwks` is given, also where its configuration is asked for (OIDC discovery)."""
    audience: Annotated[str, Field(min_length=1)]
    """What `aud` must be, or hold."""
    jwks: str | None = None
    """The issuer's keys: a file, or an `https` address."""
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("RS256", "ES256", "EdDSA")
    leeway: Annotated[float, Field(ge=0, le=300)] = 30.0
    """Seconds that clocks may differ."""
    claim: str = "scope"
    """The claim that says what a token may do: words between spaces, or a list."""
    scopes: dict[str, tuple[Scope, ...]] = Field(
        default_factory=lambda: {scope: (scope,) for scope in SCOPES}
    )
    """What each of its words means here; words that are not listed mean nothing."""
    refresh: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """Seconds after which the keys are asked for again."""

    @model_validator(mode="after")
    def _asks_safely(self) -> Self:
        where = self.jwks if self.jwks is not None else self.issuer
        if "://" in where or self.jwks is None:
            require_safe_address(where)
        return self

    def granted(self, words: Iterable[str]) -> tuple[Scope, ...]:
        """What the words of a claim allow."""
        found = {scope for word in words for scope in self.scopes.get(word, ())}
        return tuple(scope for scope in SCOPES if scope in found)


def require_safe_address(where: str) -> None:
    """Refuse to ask for keys in a way in which somebody else could answer.

    Raises:
        ValueError: it is neither `https` nor on this machine.
    """
    parts = urlsplit(where)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _is_here(parts.hostname or ""):
        return
    raise ValueError(f"keys come from a file or over https, not from '{where}'")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_tokens(path: Path) -> TokenConfig:
    """The content of a file that says whose tokens open the server.

    Raises:
        ConfigError: it cannot be read, or says something else.
    """
    try:
        return TokenConfig.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path}: {where}: {first['msg']}.") from None
