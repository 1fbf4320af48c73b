"""All that one teacher said: a folder with one sub-folder for each kind of signal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from recdistill.errors import SignalError, nearest
from recdistill.signals.kinds import KINDS, SignalKind
from recdistill.signals.manifest import Expectation, SignalManifest, TeacherIdentity
from recdistill.signals.reader import SignalReader

_WORDS = {"failed": "not answered", "unasked": "over budget", "unreadable": "without an order"}
"""Of reasons whose names do not tell."""


class Signals(Mapping[str, SignalReader]):
    """The signals of one teacher, by the name of their kind: `signals["top-k"].read(rows)`."""

    def __init__(self, folder: Path, readers: Mapping[str, SignalReader]) -> None:
        """Use `open`."""
        self.folder = folder
        self._readers = dict(readers)

    @classmethod
    def open(cls, folder: Path | str, expect: Expectation | None = None) -> Signals:
        """Open every kind of signal in `folder`.

        Args:
            folder: what labelling wrote.
            expect: whose signals, about what, they must be (its `kind` is not looked at).

        Raises:
            SignalError: there are none, they are damaged, of different teachers, or not those
                expected.
        """
        folder = Path(folder)
        wanted = replace(expect or Expectation(), kind=None)
        found = [name for name in KINDS if SignalManifest.exists(folder / name)]
        if not found:
            raise SignalError(
                f"There are no signals in {folder}.",
                "Label first: `recdistill label`, or rd.label(teacher, dataset, into=...).",
            )
        readers: dict[str, SignalReader] = {}
        for name in found:
            readers[name] = SignalReader.open(folder / name, wanted)
            # Whatever the first kind says about teacher and dataset, the others must say as well.
            manifest = readers[name].manifest
            wanted = replace(wanted, dataset=manifest.dataset, teacher=manifest.teacher)
        return cls(folder, readers)

    def __getitem__(self, kind: str) -> SignalReader:
        if kind not in self._readers:
            raise SignalError(
                f"The signals in {self.folder} hold no '{kind}'.", nearest(kind, self._readers)
            )
        return self._readers[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._readers

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)

    @property
    def kinds(self) -> dict[str, SignalKind]:
        """What is here, with its settings."""
        return {name: reader.kind for name, reader in self.items()}

    @property
    def teacher(self) -> TeacherIdentity:
        """Who said all this."""
        return next(iter(self.values())).manifest.teacher

    @property
    def seconds(self) -> float:
        """How long the labelling took. Kinds are said together, so the longest counts, not the
        sum."""
        return max(reader.manifest.seconds for reader in self.values())

    @property
    def silences(self) -> list[str]:
        """Of how many contexts the teacher had nothing of its own to say, and why; a sentence a kind."""
        return [
            f"The teacher had nothing of its own to say ('{name}') about {manifest.silent.total():,} of "
            f"{manifest.rows:,} contexts: {_reasons(manifest.silent)}."
            for name, manifest in ((name, reader.manifest) for name, reader in self.items())
            if manifest.silent
        ]

    def verify(self) -> None:
        """Read every byte of every kind and compare with the checksums.

        Raises:
            SignalError: naming the first damaged file.
        """
        for reader in self.values():
            reader.verify()


def _reasons(silent: Counter[str]) -> str:
    return ", ".join(f"{count:,} {_WORDS.get(why, why)}" for why, count in silent.most_common())
