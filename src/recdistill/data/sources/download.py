"""Fetch a file over HTTP: progress, resume after a break, checksum."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx

from recdistill.errors import SourceUnavailableError, StorageError
from recdistill.files import atomic_path
from recdistill.progress import progress_for

_PARTIAL = 206
_RANGE_REFUSED = 416


def download(
    url: str, target: Path, *, md5: str | None, transport: httpx.BaseTransport | None = None
) -> None:
    """Fetch `url` into `target`, which is either whole and checked or absent.

    What has arrived is kept in `TARGET.part`, so that a broken download goes on where it stopped.

    Args:
        url: where the file is.
        target: where it goes.
        md5: the published checksum; None where the publisher changes the file.
        transport: what speaks HTTP; tests give one without a network.

    Raises:
        SourceUnavailableError: no answer, a refusal, or the wrong content.
        StorageError: the disk refused the write.
    """
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with httpx.Client(transport=transport, follow_redirects=True, timeout=20.0) as client:
            _receive(client, url, part)
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise SourceUnavailableError(f"{url} cannot be fetched: {reason}.") from error
    except OSError as error:
        raise StorageError(f"Cannot write {part}: {error.strerror or error}.") from error
    _require_checksum(part, md5, url)
    with atomic_path(target) as temporary:
        part.replace(temporary)


def _receive(client: httpx.Client, url: str, part: Path) -> None:
    done = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # ranges count the bytes of the file itself
    if done:
        headers["Range"] = f"bytes={done}-"
    with client.stream("GET", url, headers=headers) as answer:
        refused = answer.status_code == _RANGE_REFUSED
        if not refused:
            answer.raise_for_status()
            goes_on = answer.status_code == _PARTIAL
            _store(answer, part, done if goes_on else 0)
    if refused and done:  # what is there is longer than the file: begin again
        part.unlink()
        _receive(client, url, part)


def _store(answer: httpx.Response, part: Path, done: int) -> None:
    length = answer.headers.get("Content-Length")
    total = done + int(length) if length else None
    name = answer.url.path.rsplit("/", 1)[-1]
    with (
        progress_for().task(name, total, "bytes", done) as task,
        part.open("ab" if done else "wb") as stream,
    ):
        for chunk in answer.iter_raw():
            stream.write(chunk)
            task.advance(len(chunk))


def _require_checksum(part: Path, md5: str | None, url: str) -> None:
    if md5 is None:
        return
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        part.unlink()
        raise SourceUnavailableError(
            f"{url} gave other content than published: MD5 {found}, expected {md5}."
        )
