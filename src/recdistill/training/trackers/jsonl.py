"""Scalars as lines of JSON: the tracker that is always on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recdistill.errors import StorageError
from recdistill.files import write_text


class JsonLines:
    """A first line with the configuration, then a line `{"step": n, name: value, …}` a call."""

    def __init__(self, path: Path) -> None:
        """`path` is made when the training starts."""
        self.path = path

    def start(self, config: Mapping[str, Any], step: int) -> None:
        """Keep the lines up to `step`; a line that a kill tore apart goes too."""
        kept = [json.dumps({"config": dict(config)}), *_lines_until(self.path, step)]
        write_text(self.path, "".join(f"{line}\n" for line in kept))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Append a line."""
        self._append(json.dumps({"step": step, **values}) + "\n")

    def flush(self) -> None:
        """Bring every line to the disk."""
        self._append("", to_disk=True)

    def close(self) -> None:
        """Nothing to do: the file is open only while it is written to."""

    def _append(self, text: str, *, to_disk: bool = False) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                if to_disk:
                    os.fsync(stream.fileno())
        except OSError as error:
            raise StorageError(
                f"Cannot write {self.path}: {error.strerror}.", "Free some space and run again."
            ) from error


def _lines_until(path: Path, step: int) -> Iterator[str]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            said = json.loads(line).get("step")
        except (ValueError, AttributeError):
            return
        if said is not None and said <= step:
            yield line
