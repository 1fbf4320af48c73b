"""A run is a folder: its configuration, its surroundings, its log, and one process at a time."""

from __future__ import annotations

import fcntl
import json
import platform
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from recdistill.errors import RecDistillError, StorageError
from recdistill.files import remove_leftovers, write_json

_REPORTED_PACKAGES = ("recdistill", "torch", "polars", "numpy", "transformers", "onnxruntime")


class RunFolder:
    """Paths and records of one run."""

    def __init__(self, path: Path) -> None:
        """`path` need not exist yet."""
        self.path = path

    @property
    def config_file(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the run folder for this process.

        Raises:
            RecDistillError: another process is working in it.
        """
        self._create()
        with (self.path / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RecDistillError(
                    f"Another process is working in {self.path}.",
                    "Wait for it, stop it, or choose another folder with --into.",
                ) from None
            for name in ("config.yaml", "environment.json"):
                remove_leftovers(self.path, of=name)
            yield

    def _create(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"Cannot make the run folder {self.path}: {error.strerror}.",
                "Choose another folder with --into.",
            ) from error

    def note(self, event: str, **facts: Any) -> None:
        """Append one line to `log.jsonl`."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts})
        try:
            with (self.path / "log.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
        except OSError as error:
            raise StorageError(
                f"Cannot write {self.path / 'log.jsonl'}: {error.strerror}.",
                "Free some space and run the same command again; finished stages are kept.",
            ) from error

    def record_environment(self) -> dict[str, Any]:
        """Write `environment.json`: what the run ran on."""
        facts = environment()
        write_json(self.path / "environment.json", facts)
        return facts


def environment() -> dict[str, Any]:
    """The machine and the versions that decide a result."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "packages": {name: version for name in _REPORTED_PACKAGES if (version := _version(name))},
        "command": sys.argv[1:],
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()
