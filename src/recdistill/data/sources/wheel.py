"""MovieLens 100K out of the RecBole wheel: what is left where only a package registry can be reached."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from recdistill.errors import SourceUnavailableError
from recdistill.files import atomic_folder

_INSIDE: Final = "recbole/dataset_example/ml-100k/"
_FILES: Final = ("ml-100k.inter", "ml-100k.item")
# One copy that goes round has an altered rating.
_RATINGS: Final = {b"1": 6110, b"2": 11370, b"3": 27145, b"4": 34174, b"5": 21201}


def extract_100k(folder: Path, fetch: Callable[[Path], None] | None = None) -> None:
    """Put MovieLens 100K as RecBole atomic files into `folder`.

    Args:
        folder: where the files go.
        fetch: puts the wheel into a folder; by default `pip download`, which knows the user's registry.

    Raises:
        SourceUnavailableError: no wheel, or not the data that is expected.
        StorageError: the disk refused the write.
    """
    with tempfile.TemporaryDirectory() as temporary:
        (fetch or _pip_download)(Path(temporary))
        wheels = sorted(Path(temporary).glob("*.whl"))
        if not wheels:
            raise SourceUnavailableError("The registry gave no RecBole wheel.")
        contents = _read(wheels[0])
    _require_ratings(contents[_FILES[0]])
    with atomic_folder(folder) as staging:
        for name, content in contents.items():
            (staging / name).write_bytes(content)


def _pip_download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), "recbole"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceUnavailableError(f"pip cannot fetch RecBole: {error}.") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SourceUnavailableError(f"pip cannot fetch RecBole: {reason}")


def _read(wheel: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return {name: archive.read(_INSIDE + name) for name in _FILES}
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceUnavailableError(f"{wheel.name} holds no MovieLens 100K: {error}.") from error


def _require_ratings(inter: bytes) -> None:
    ratings = [line.split(b"\t")[2] for line in inter.splitlines()[1:] if line]
    found = {rating: ratings.count(rating) for rating in _RATINGS}
    if found != _RATINGS or len(ratings) != sum(_RATINGS.values()):
        raise SourceUnavailableError(
            "The MovieLens 100K in the RecBole wheel is an altered copy (its ratings do not add up)."
        )
