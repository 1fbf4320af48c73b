"""The application on a socket."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

from pydantic import Field

from recdistill.errors import ConfigError
from recdistill.serving.limits import Limits
from recdistill.settings import Settings


class ServerConfig(Settings):
    """Where and how a server listens."""

    host: str = "127.0.0.1"
    """An address of this machine; beyond loopback only with a file of keys."""
    port: int = Field(default=8000, ge=0, le=65535)
    """0 for any free one."""
    keys: Path | None = None
    """The file of keys; without one a key is made for this session."""
    tokens: Path | None = None
    """A file that says whose tokens open the server too (`tokens.configuration`)."""
    certificate: Path | None = None
    """TLS: the certificate chain (PEM)."""
    certificate_key: Path | None = None
    """TLS: its private key (PEM)."""
    workers: int = Field(default=1, ge=1, le=256)
    """Processes that answer; with more than one another looks after them."""
    limits: Limits = Limits()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it, whatever its names mean just now."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
        return bool(found) and all(ipaddress.ip_address(each).is_loopback for each in found)
    except (OSError, ValueError):
        return False


def require_safe(config: ServerConfig) -> None:
    """Refuse what would open the server to people nobody has given a key to.

    Raises:
        ConfigError: it listens beyond loopback without a file of keys, or has half of what TLS needs.
    """
    if config.keys is None and config.tokens is None and not is_loopback(config.host):
        raise ConfigError(
            f"Beyond this machine ({config.host}) a server needs keys.",
            "Make one: recdistill keys add --keys FILE --scope recommend; then serve with --keys FILE.",
        )
    if (config.certificate is None) != (config.certificate_key is None):
        raise ConfigError("TLS needs both a certificate and its key.")
