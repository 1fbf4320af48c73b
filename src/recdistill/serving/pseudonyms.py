"""Users by another name: a keyed hash, made at the door, so that nothing behind it knows who somebody is."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from recdistill.errors import ConfigError
from recdistill.files import atomic_path
from recdistill.serving.private_files import is_private

VARIABLE = "RECDISTILL_PSEUDONYM_KEY"
"""The environment variable that may hold the key, as hexadecimal digits."""
_BYTES = 32


class Pseudonyms:
    """HMAC-SHA256 under one key, cut to 128 bits: whoever has the store without the key can test no guess."""

    def __init__(self, key: bytes) -> None:
        """A key of at least 32 bytes.

        Raises:
            ConfigError: it is shorter.
        """
        if len(key) < _BYTES:
            raise ConfigError(
                f"The pseudonym key has {len(key)} bytes; it needs {_BYTES}.",
                "Make one: openssl rand -hex 32",
            )
        self._key = key

    @property
    def identity(self) -> str:
        """Which key this is, without telling it."""
        return hmac.digest(self._key, b"identity", hashlib.sha256).hex()[:16]

    def user(self, name: str) -> bytes:
        """The pseudonym of a user."""
        return self._hash(b"user\0", name)

    def event(self, name: str) -> bytes:
        """The pseudonym of an event's id, which may well be made of a user's."""
        return self._hash(b"event\0", name)

    def _hash(self, kind: bytes, name: str) -> bytes:
        return hmac.digest(self._key, kind + name.encode("utf-8", "surrogatepass"), "sha256")[:16]


def pseudonyms_from(path: Path) -> Pseudonyms:
    """Pseudonyms by the key in the environment or, without one, in a file; the file is made if there is none.

    Raises:
        ConfigError: the key is no hexadecimal number, too short, or open to others than its owner.
        StorageError: the file cannot be written.
    """
    if text := os.environ.get(VARIABLE):
        return Pseudonyms(_decoded(text, VARIABLE))
    if not path.exists():
        with atomic_path(path, mode=0o600) as temporary:
            temporary.write_text(secrets.token_hex(_BYTES) + "\n")
    if not is_private(path.stat()):
        raise ConfigError(f"Others than its owner may read {path}.", f"chmod 600 {path}")
    return Pseudonyms(_decoded(path.read_text(), str(path)))


def _decoded(text: str, where: str) -> bytes:
    try:
        return bytes.fromhex(text.strip())
    except ValueError:
        raise ConfigError(
            f"{where} holds no key in hexadecimal digits.", "Make one: openssl rand -hex 32"
        ) from None
