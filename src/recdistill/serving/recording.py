"""Requests as they came, of nobody: a sample that a bundle is asked again before it answers for the first time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from recdistill.errors import ConfigError, StorageError
from recdistill.files import atomic_path
from recdistill.serving.messages import RecommendRequest

MOST: Final = 300
"""Requests of a sample."""
_LATEST: Final = 200
"""Items of a history or list that are kept."""
_LARGEST: Final = 16 << 20
_decode = msgspec.json.Decoder(list[RecommendRequest]).decode


class Recording:
    """A sample of all requests since the start, each as likely as any other (Vitter's algorithm R), in memory and in a
    file. Nobody is named: of a user there is the history that was asked about, cut short.
    """

    def __init__(self, path: Path, every: float = 60.0, seed: int | None = None) -> None:
        """Goes on from what the file holds. `every`: seconds between writings of it.

        Raises:
            ConfigError: it is no recording.
        """
        self.path, self._every = path, every
        self._sample = recorded(path)
        self._seen = len(self._sample)
        self._random, self._written = random.Random(seed), time.monotonic()
        self._writing = threading.Lock()

    def note(self, requests: Iterable[RecommendRequest]) -> None:
        """These came. Called by one thread."""
        for request in requests:
            self._seen += 1
            if len(self._sample) < MOST:
                self._sample.append(_nobodys(request))
            elif (place := self._random.randrange(self._seen)) < MOST:
                self._sample[place] = _nobodys(request)
        if time.monotonic() - self._written > self._every:
            self._written = time.monotonic()
            threading.Thread(target=self.write, daemon=True).start()

    def sample(self) -> Sequence[RecommendRequest]:
        """What is kept now."""
        return list(self._sample)

    def write(self) -> None:
        """Put the sample into the file; a disk that refuses costs the next start its warmth, nobody an answer."""
        if not self._sample or not self._writing.acquire(blocking=False):
            return
        try:
            data = msgspec.json.encode(list(self._sample))
            with atomic_path(self.path, mode=0o600) as temporary:
                temporary.write_bytes(data)
        except StorageError:
            return
        finally:
            self._writing.release()


def recorded(path: Path) -> list[RecommendRequest]:
    """What a file holds; nothing where there is none yet.

    Raises:
        ConfigError: it is no recording.
    """
    if not path.exists():
        return []
    try:
        with path.open("rb") as file:
            return _decode(file.read(_LARGEST))[:MOST]
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is no recording of requests: {type(error).__name__}.",
            "Remove it: a new one is made.",
        ) from None


def _nobodys(request: RecommendRequest) -> RecommendRequest:
    """What makes the model work, and nothing else of a request."""
    candidates = request.candidates
    return RecommendRequest(
        history=(request.history or [])[-_LATEST:],
        k=request.k,
        filter_seen=request.filter_seen,
        candidates=None if candidates is None else candidates[:_LATEST],
        exclude=request.exclude[:_LATEST],
    )
