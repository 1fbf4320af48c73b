"""Checkpoints that are whole or absent, and know when they are damaged.

Each is a folder of its own, `step-000000123`, so that none is ever overwritten: it is written under
another name, flushed to disk, and gets its name in one rename. Tensors are safetensors, the rest is
JSON; nothing is ever unpickled. `manifest.json` holds the SHA-256 of every other file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from recdistill.errors import CheckpointError, StorageError
from recdistill.files import atomic_folder, file_sha256, read_json, remove_leftovers, write_json

_KEPT = 2
_FORMAT = 1

TensorFiles = Mapping[str, Mapping[str, Tensor]]
"""Named tensors, by the name of the file that holds them."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint held: plain data, and tensors on the CPU."""

    state: dict[str, Any]
    tensors: TensorFiles


class CheckpointStore:
    """The checkpoints of one training in one folder; the newest two are kept."""

    def __init__(
        self, folder: Path, identity: Mapping[str, Any], say: Callable[[str], None]
    ) -> None:
        """Open the store and clear away what a killed process left half written.

        Args:
            folder: holds the checkpoints of this training only; one process at a time works in it.
            identity: what decides the result; a checkpoint made under another identity is refused.
            say: receives a line for people when a damaged checkpoint is passed over.
        """
        self._folder, self._identity, self._say = folder, dict(identity), say
        remove_leftovers(folder)

    def save(self, step: int, state: Mapping[str, Any], tensors: TensorFiles) -> None:
        """Keep what the training is after `step` steps; at most once a step.

        Raises:
            StorageError: the disk refused; the checkpoints from before are unharmed.
        """
        target = self._folder / f"step-{step:09d}"
        if target.exists():
            return
        with atomic_folder(target) as staging:
            for name, named in tensors.items():
                _write_tensors(staging / f"{name}.safetensors", named)
            write_json(staging / "state.json", {"identity": self._identity, "state": dict(state)})
            sums = {path.name: file_sha256(path) for path in sorted(staging.iterdir())}
            write_json(staging / "manifest.json", {"format": _FORMAT, "files": sums})
        for old in self._newest_first()[_KEPT:]:
            _remove(old)

    def latest(self) -> Checkpoint | None:
        """The newest undamaged checkpoint; `None` when there never was one.

        Raises:
            CheckpointError: all are damaged, or it belongs to another training.
        """
        damaged: list[tuple[Path, str]] = []
        for folder in self._newest_first():
            try:
                checkpoint = self._read(folder)
            except _DamageError as damage:
                damaged.append((folder, str(damage)))
                continue
            for other, what in damaged:
                self._say(
                    f"Checkpoint {other.name} is damaged ({what}); going on from {folder.name}."
                )
                _remove(other)
            return checkpoint
        if damaged:
            told = "; ".join(f"{folder.name}: {what}" for folder, what in damaged)
            raise CheckpointError(
                f"Every checkpoint in {self._folder} is damaged ({told}).",
                f"Remove {self._folder} to train from the start.",
            )
        return None

    def _read(self, folder: Path) -> Checkpoint:
        names = _verified(folder)
        kept = read_json(folder / "state.json")
        _refuse_stranger(folder, kept["identity"], self._identity)
        tensors = {
            name.removesuffix(".safetensors"): load_file(folder / name)
            for name in names
            if name.endswith(".safetensors")
        }
        return Checkpoint(kept["state"], tensors)

    def _newest_first(self) -> list[Path]:
        return sorted(self._folder.glob("step-*"), reverse=True)


class _DamageError(Exception):
    pass


def _verified(folder: Path) -> list[str]:
    """The names of the files of a checkpoint, each found to be what was written."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        sums: dict[str, str] = manifest["files"]
        if manifest["format"] != _FORMAT or "state.json" not in sums:
            raise _DamageError("manifest.json is not of this version")
        wrong = [name for name, digest in sums.items() if file_sha256(folder / name) != digest]
    except OSError as error:
        raise _DamageError(
            f"{Path(error.filename or folder).name} is missing or unreadable"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _DamageError("manifest.json is unreadable") from error
    if wrong:
        raise _DamageError(f"{wrong[0]} does not match its checksum")
    return list(sums)


def _refuse_stranger(folder: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    before, now = _flat(theirs), _flat(ours)
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if names:
        told = [f"{name} was {before.get(name)}, is {now.get(name)}" for name in names[:4]]
        raise CheckpointError(
            f"The checkpoint {folder} belongs to another training: {'; '.join(told)}.",
            f"Undo the change, choose another folder, or remove {folder.parent} to start afresh.",
        )


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    flat: dict[str, Any] = {}
    for name, part in value.items():
        flat |= _flat(part, f"{path}.{name}" if path else str(name))
    return flat


def _write_tensors(path: Path, named: Mapping[str, Tensor]) -> None:
    try:
        save_file({name: tensor.contiguous() for name, tensor in named.items()}, path)
    except SafetensorError as error:
        raise StorageError(
            f"Cannot write {path.parent.parent}: {error}.",
            "Free some space and run again; the checkpoints from before are unharmed.",
        ) from error


def _remove(folder: Path) -> None:
    # A name that `remove_leftovers` knows comes first: a kill half way must not leave half a
    # checkpoint.
    doomed = folder.with_name(f".{folder.name}.old")
    folder.rename(doomed)
    shutil.rmtree(doomed)
