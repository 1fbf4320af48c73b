"""A stage is a folder that one function fills; it is redone only when something that decides its content changed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recdistill.files import file_sha256, read_json, remove_leftovers, write_json


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Attributes:
        name: what it is called, and its folder inside the run.
        key: a hash of everything that decides the result; another key means another result.
        make: fills the folder it is given; called again after an interruption, it goes on from what it finds.
    """

    name: str
    key: str
    make: Callable[[Path], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a stage: where its result lies, whether it was made now, and how long making it took."""

    folder: Path
    made: bool
    seconds: float


class StageRunner:
    """Runs stages inside one run folder and remembers, in `.stages/`, what each was made from."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        """`tell` receives a line for people when a stage starts, is reused, or has to be redone."""
        self.folder = folder
        self._tell = tell

    def run(self, stage: Stage) -> Outcome:
        """Make the stage's folder, or reuse it when it is complete, undamaged and made from the same key."""
        target = self.folder / stage.name
        seal = self._seal(stage.name)
        record = _read_record(seal)
        if record.get("key") != stage.key:
            # Another configuration made this; it steps aside rather than being lost.
            self._exchange(stage, target, seal)
            record = _read_record(seal)
        if record.get("done"):
            damaged = _damage(target, record["files"])
            if damaged is None:
                self._tell(f"{stage.name}: unchanged, reused")
                return Outcome(target, made=False, seconds=record["seconds"])
            self._tell(f"{stage.name}: {damaged}; made again")
            _move(target, self._previous(stage.name))
        return self._make(stage, target, seal)

    def current(self, stage: Stage) -> Path | None:
        """The stage's folder if `run` would reuse it; only looks."""
        target, record = self.folder / stage.name, _read_record(self._seal(stage.name))
        reusable = record.get("key") == stage.key and record.get("done")
        return target if reusable and _damage(target, record["files"]) is None else None

    def made(self, key: str) -> Path | None:
        """The folder of a finished and undamaged stage of this key, whatever it is called; only looks."""
        for seal in sorted((self.folder / ".stages").glob("*.json")):
            record = _read_record(seal)
            name = record.get("name")
            # What was set aside has a seal of another name than its own.
            if name and record["key"] == key and seal == self._seal(name):
                folder = self.folder / name
                if _damage(folder, record["files"]) is None:
                    return folder
        return None

    def finished(self, name: str) -> Outcome | None:
        """What became of a stage, whatever it was made from, if it is complete and undamaged; only looks."""
        target, record = self.folder / name, _read_record(self._seal(name))
        if not record.get("done") or _damage(target, record["files"]) is not None:
            return None
        return Outcome(target, made=False, seconds=record["seconds"])

    def _exchange(self, stage: Stage, target: Path, seal: Path) -> None:
        """Set what another configuration made aside, and take back what this one made before.

        One earlier generation is kept; half a result does not drive out a whole one. A kill in
        between leaves folders without a record, whose content is then made again.
        """
        previous, kept_seal = self._previous(stage.name), self._seal(f"previous/{stage.name}")
        record, kept = _read_record(seal), _read_record(kept_seal)
        seal.unlink(missing_ok=True)
        kept_seal.unlink(missing_ok=True)
        if kept.get("key") == stage.key:
            _swap(target, previous)
            write_json(seal, kept)
        elif kept.get("done") and record.get("done") is False:
            shutil.rmtree(target, ignore_errors=True)
            record = kept
        else:
            _move(target, previous)
        if record:
            write_json(kept_seal, record)

    def _make(self, stage: Stage, target: Path, seal: Path) -> Outcome:
        spent = _read_record(seal).get("seconds", 0.0) if target.exists() else 0.0
        _sweep(target, seal.parent)
        write_json(seal, {"key": stage.key, "done": False, "seconds": spent})
        started = time.monotonic()
        try:
            stage.make(target)
        finally:
            spent += time.monotonic() - started
            if not target.exists():
                target.mkdir(parents=True, exist_ok=True)
        files = _inventory(target)
        done = {
            "name": stage.name,
            "key": stage.key,
            "done": True,
            "seconds": spent,
            "files": files,
        }
        write_json(seal, done)
        return Outcome(target, made=True, seconds=spent)

    def _seal(self, name: str) -> Path:
        return self.folder / ".stages" / f"{name.replace('/', '.')}.json"

    def _previous(self, name: str) -> Path:
        return self.folder / ".previous" / name


def _read_record(seal: Path) -> dict[str, Any]:
    try:
        return read_json(seal)
    except (OSError, ValueError):
        return {}


def _sweep(target: Path, seals: Path) -> None:
    """Clear away what a killed process left half written of this stage."""
    remove_leftovers(target.parent, of=target.name)
    inside = [path for path in target.rglob("*") if path.is_dir()]
    for folder in (seals, target, *inside):
        remove_leftovers(folder)


def _inventory(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): file_sha256(path) for path in files}


def _damage(folder: Path, files: dict[str, str]) -> str | None:
    """The first thing wrong with a finished folder, or `None`."""
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if file_sha256(path) != expected:
            return f"{name} is damaged"
    return None


def _move(source: Path, place: Path) -> None:
    """Move a folder, if it is there, to where something older may be, which gives way."""
    if not source.exists():
        return
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    source.rename(place)


def _swap(one: Path, other: Path) -> None:
    between = one.with_name(f".{one.name}.swap.tmp")
    for source, place in ((one, between), (other, one), (between, other)):
        _move(source, place)
