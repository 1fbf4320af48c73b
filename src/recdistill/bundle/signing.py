"""Who made a bundle: an Ed25519 signature (RFC 8032) of its manifest, which holds a checksum of all else.

The signature lies beside the manifest and not in it, so that it can be verified before anything is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

from recdistill.bundle.manifest import MANIFEST, SIGNATURE
from recdistill.bundle.packing import packed
from recdistill.bundle.places import place_of
from recdistill.bundle.verification import read_manifest, read_verified
from recdistill.errors import BundleError, ConfigError, MissingExtraError
from recdistill.files import atomic_path

Trusted = frozenset[str]
"""Public keys, as 64 hexadecimal digits each."""
_ABOUT: Final = b"recdistill bundle manifest\n"
"""What is signed begins with it: a signature made for something else is none."""
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_LINE: Final = re.compile(rb"ed25519 ([0-9a-f]{64}) ([0-9a-f]{128})\n")


def new_key(path: Path) -> str:
    """Make a private key in a file (PEM, PKCS #8) that only its owner may read, and give its public half.

    Raises:
        ConfigError: the file is there already.
        MissingExtraError: `cryptography` is not installed.
    """
    ed25519, serialization = _library()
    if path.exists():
        raise ConfigError(f"{path} is there already.", "A key that is lost cannot be made again.")
    key = ed25519.Ed25519PrivateKey.generate()
    data = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with atomic_path(path, mode=0o600) as file:
        file.write_bytes(data)
    return _public(key)


def sign(bundle: Path, key_file: Path) -> str:
    """Put a signature into a bundle, a folder or a single file, that is whole; gives the public key.

    Raises:
        BundleError: the bundle is damaged.
        ConfigError: the file holds no such key.
        MissingExtraError: `cryptography` is not installed.
    """
    key = _private(key_file)
    place = place_of(bundle)
    _, contents = read_verified(place)
    manifest = read_manifest(place)
    line = f"ed25519 {_public(key)} {key.sign(_ABOUT + manifest).hex()}\n".encode()
    target = bundle / SIGNATURE if bundle.is_dir() else bundle
    files = {name: bytes(data) for name, data in contents.items()}
    data = line if bundle.is_dir() else packed({**files, MANIFEST: manifest, SIGNATURE: line})
    with atomic_path(target) as file:
        file.write_bytes(data)
    return _public(key)


def signed_by(trusted: Trusted) -> Callable[[str, bytes, bytes | None], None]:
    """What verifies, before anything is parsed, that one of the trusted signed a manifest.

    Raises:
        MissingExtraError: `cryptography` is not installed.
    """
    ed25519, _ = _library()

    def verify(told: str, manifest: bytes, signature: bytes | None) -> None:
        if signature is None:
            raise BundleError(
                f"{told} is not signed.", "recdistill bundle sign BUNDLE --key KEYFILE"
            )
        found = _LINE.fullmatch(signature)
        name = found[1].decode() if found else ""
        if found is None or name not in trusted:
            raise BundleError(f"{told} is signed by nobody who is trusted.", _whom(name))
        try:
            key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(name))
            key.verify(bytes.fromhex(found[2].decode()), _ABOUT + manifest)
        except Exception:
            # InvalidSignature, or a key that is no point of the curve: not signed by it in either case.
            raise BundleError(f"{told}: the signature is not of this manifest.") from None

    return verify


def read_trusted(path: Path) -> Trusted:
    """Public keys from a file: one a line, with a name behind it or without; `#` begins a remark.

    Raises:
        ConfigError: it cannot be read, or holds no key, or what is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}.") from None
    words = [words[0] for line in lines if (words := line.split("#")[0].split())]
    return as_trusted(words, str(path))


def as_trusted(keys: Collection[str], told: str = "trusted_keys") -> Trusted:
    """Public keys, checked; `told` names them in messages.

    Raises:
        ConfigError: there is none, or one is none.
    """
    for key in keys:
        if not _KEY.fullmatch(key):
            raise ConfigError(
                f"{told}: '{key[:80]}' is no public key.", "Keys have 64 hexadecimal digits."
            )
    if not keys:
        raise ConfigError(f"{told} holds no key: no bundle could be trusted.")
    return frozenset(keys)


def _whom(key: str) -> str:
    return f"The key is {key}." if key else "Sign it again."


def _public(key: Any) -> str:
    return str(key.public_key().public_bytes_raw().hex())


def _private(path: Path) -> Any:
    ed25519, serialization = _library()
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} holds no key: {error}.", "recdistill bundle keygen") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ConfigError(f"{path} holds no Ed25519 key.", "recdistill bundle keygen")
    return key


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingExtraError("A signature", "sign") from None
    return ed25519, serialization
