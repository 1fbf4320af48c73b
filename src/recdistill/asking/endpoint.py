"""Where answers are asked for: an OpenAI-compatible chat endpoint, its prices and its limits."""

from __future__ import annotations

import os
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, PrivateAttr, field_validator

from recdistill.asking.costs import Prices
from recdistill.asking.variables import require_name
from recdistill.errors import ConfigError
from recdistill.settings import UNQUOTED, Settings

_DEFAULT_PORTS = {"http": 80, "https": 443}


class BatchConfig(Settings):
    """Ask through `/files` and `/batches`: slower, often at half the price."""

    size: int = Field(default=10_000, ge=1, le=50_000)
    """Requests in a batch, at most."""
    window: str = "24h"
    """How soon the endpoint promises to be done."""
    poll_seconds: PositiveFloat = 30.0
    """How often to look whether it is."""


class EndpointConfig(Settings):
    """A chat endpoint. `base_url` (or `known_as`) and `model` decide what an answer is; the rest, how it is got."""

    base_url: str = Field(json_schema_extra={UNQUOTED: True})
    """What comes before `/chat/completions`, such as `https://api.openai.com/v1` or `http://localhost:8000/v1`."""
    model: str
    """The name of the model there; name a dated version where there is one."""
    known_as: str | None = None
    """Stands for `base_url` where questions are told apart: give a name to a server whose address changes, and what it
    has answered stays known."""
    api_key_env: str | None = Field(default=None, json_schema_extra={UNQUOTED: True})
    """The environment variable that holds the key; the key itself is written nowhere."""
    prices: Prices | None = None
    """What a million tokens cost; give them for a batch endpoint as they are for batches."""
    concurrency: int = Field(default=8, ge=1, le=512)
    """Requests under way at once, at most; fewer while the endpoint says that it is too much."""
    requests_per_minute: PositiveInt | None = None
    """The pace of requests, evenly spread."""
    tokens_per_minute: PositiveInt | None = None
    """The pace of tokens, prompts and answers together."""
    timeout: PositiveFloat = 120.0
    """Seconds until an answer must be there in full, however slowly it drips."""
    connect_timeout: PositiveFloat = 10.0
    """Seconds until a connection must stand."""
    attempts: int = Field(default=3, ge=1, le=3)
    """How often a request is sent, at most, where sending again may help."""
    unanswered: float = Field(default=0.0, ge=0, le=1)
    """Which share of the questions that are asked at a time may stay without an answer for reasons that pass (5xx, time
    limits): who asked does without, for good. Beyond it, work stops, and asks them when it is started again."""
    backoff: PositiveFloat = 1.0
    """The longest wait before the second attempt, in seconds; twice that before the third. Waits are drawn evenly
    from zero up (full jitter), but never end before a `Retry-After`."""
    batch: BatchConfig | None = None
    """Ask in batches rather than one by one."""

    _owned: bool = PrivateAttr(default=True)

    @property
    def named(self) -> bool:
        """Whether a configuration of the caller's names it. One that only a folder names, which somebody else may have
        made, is asked nothing and sent no key: what the ledger knows is all that it says."""
        return self._owned

    def disown(self) -> None:
        """Nobody but a folder names it."""
        self._owned = False

    @field_validator("base_url")
    @classmethod
    def _bare(cls, given: str) -> str:
        parts = urlsplit(given)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("must begin with http:// or https:// and name a host")
        if not _has_a_port(parts):
            raise ValueError("must name a port from 1 to 65535, or none")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "must hold no name, password or query: a key belongs into the variable of api_key_env"
            )
        return given.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _named(cls, given: str | None) -> str | None:
        return None if given is None else require_name(given)

    @property
    def identity(self) -> str:
        """Who answers, whatever the spelling of the address: `known_as`, or host, port and path in one form."""
        if self.known_as:
            return self.known_as
        parts = urlsplit(self.base_url)
        port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"

    @property
    def title(self) -> str:
        """How people call it."""
        return f"{self.model} at {self.identity}"

    def key(self) -> str | None:
        """The secret, from the environment; None where none is needed, or the caller does not name the endpoint.

        Raises:
            ConfigError: the variable is not set, or holds what cannot be sent.
        """
        if self.api_key_env is None or not self.named:
            return None
        found = os.environ.get(self.api_key_env, "").strip()
        if not found:
            raise ConfigError(
                f"The environment variable {self.api_key_env} holds no key for {self.identity}.",
                f"Set it in the shell that starts this: export {self.api_key_env}=…",
            )
        if not (found.isascii() and found.isprintable()) or " " in found:
            raise ConfigError(
                f"The environment variable {self.api_key_env} holds more than a key.",
                "A key is one word of plain characters.",
            )
        return found


def _has_a_port(parts: SplitResult) -> bool:
    """Whether the port of an address is one, or is left to the scheme."""
    try:
        return parts.port != 0
    except ValueError:
        return False
