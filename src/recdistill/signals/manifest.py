"""Who said it, about what, and in which files it lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, NonNegativeFloat, NonNegativeInt, ValidationError

from recdistill.errors import SignalError
from recdistill.files import content_hash, read_json, write_json
from recdistill.settings import Settings
from recdistill.signals.kinds import FieldSpec, SignalKind

_MANIFEST = "manifest.json"


class TeacherIdentity(Settings):
    """Who speaks. Two teachers are the same when all of this is the same."""

    kind: str
    name: str
    """How people call it."""
    revision: str
    """A hash of its weights."""
    settings: dict[str, Any]
    """The configuration it was made from, and what that did not foresee (a fallback that was
    taken)."""
    texts: str | None = None
    """A hash of the text template and of the texts it made of the catalogue; `None` if it reads no
    text."""

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def digest(self) -> str:
        """A short hash of all of it."""
        return content_hash(self.model_dump(mode="json"))


class DatasetIdentity(Settings):
    """What the teacher spoke about."""

    name: str
    fingerprint: str


class Shard(Settings):
    """One file of rows."""

    file: str
    rows: NonNegativeInt
    bytes: NonNegativeInt
    sha256: str
    silent: dict[str, int] = Field(default={}, exclude_if=lambda given: not given)
    """Rows of contexts about which the teacher had nothing of its own to say, by reason: what speaks without it does
    there (its base; zeros in place of vectors)."""


class Carried(Settings):
    """Rows that were not asked for: somebody said them before, and they were taken over."""

    teacher: TeacherIdentity
    """Who said them."""
    dataset: DatasetIdentity
    """About which events, and which catalogue: items that came later are not in these rows."""
    rows: NonNegativeInt


class SignalManifest(Settings):
    """All that is to know about a stored signal."""

    format: int = 1
    kind: SignalKind
    teacher: TeacherIdentity
    dataset: DatasetIdentity
    fields: tuple[FieldSpec, ...]
    carried: tuple[Carried, ...] = Field(default=(), exclude_if=lambda given: not given)
    """Where the first rows come from, in the order of the rows; all others `teacher` said about `dataset`."""
    shards: tuple[Shard, ...] = ()
    complete: bool = False
    """Whether everything that was to be said has been said."""
    seconds: NonNegativeFloat = 0.0
    """Time the labelling took, interruptions not counted."""

    @property
    def rows(self) -> int:
        """How many rows are stored."""
        return sum(shard.rows for shard in self.shards)

    @property
    def silent(self) -> Counter[str]:
        """How many rows the teacher had nothing of its own to say in, by reason."""
        return sum((Counter(shard.silent) for shard in self.shards), Counter())

    @property
    def asked(self) -> int:
        """How many of the rows the teacher was asked for."""
        return max(0, self.rows - sum(part.rows for part in self.carried))

    @property
    def rows_per_second(self) -> float:
        """The speed of labelling; 0 while nothing was labelled."""
        return self.asked / self.seconds if self.seconds else 0.0

    def save(self, folder: Path) -> None:
        """Write it into the signal's folder."""
        write_json(folder / _MANIFEST, self.model_dump(mode="json"))

    @classmethod
    def exists(cls, folder: Path) -> bool:
        """Whether `folder` holds a signal."""
        return (folder / _MANIFEST).is_file()

    @classmethod
    def load(cls, folder: Path) -> SignalManifest:
        """Read it.

        Raises:
            SignalError: it is missing, damaged or of an unknown version.
        """
        path = folder / _MANIFEST
        try:
            return cls.model_validate(read_json(path))
        except FileNotFoundError as error:
            raise SignalError(
                f"There are no signals in {folder}: it has no {_MANIFEST}.",
                "Label first: `recdistill label`, or rd.label(teacher, dataset, into=...).",
            ) from error
        except (OSError, ValueError, ValidationError) as error:
            raise SignalError(
                f"The signal manifest {path} cannot be read: {_first_line(error)}",
                "Delete the folder and label again.",
            ) from error


class Difference(NamedTuple):
    """A place where two descriptions disagree."""

    field: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.field}: expected {_shown(self.expected)}, found {_shown(self.found)}"


@dataclass(frozen=True)
class Expectation:
    """Whose signals somebody wants to read; `None` means anybody's.

    Attributes:
        dataset: about which they must have been said.
        teacher: who must have said them.
        kind: what must have been said.
    """

    dataset: DatasetIdentity | None = None
    teacher: TeacherIdentity | None = None
    kind: SignalKind | None = None

    def differences(self, manifest: SignalManifest) -> list[Difference]:
        """Where `manifest` is not what is wanted."""
        pairs = {
            "kind": (self.kind, manifest.kind),
            "dataset": (self.dataset, manifest.dataset),
            "teacher": (self.teacher, manifest.teacher),
        }
        return [
            difference
            for name, (expected, found) in pairs.items()
            if expected is not None
            for difference in differences(_plain(expected), _plain(found), name)
        ]

    def check(self, manifest: SignalManifest, folder: Path) -> None:
        """Refuse signals that are not what is wanted.

        Raises:
            SignalError: naming every difference.
        """
        found = self.differences(manifest)
        if found:
            wrong = sorted({difference.field.split(".")[0] for difference in found})
            raise SignalError(
                f"The signals in {folder} are of another {' and '.join(wrong)}: "
                + "; ".join(str(difference) for difference in found)
                + ".",
                "Choose the folder that belongs to this run, or label again into a new one.",
            )


def differences(expected: Any, found: Any, where: str) -> Iterator[Difference]:
    """Every leaf at which two pieces of plain data disagree."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for name in sorted({*expected, *found}):
            yield from differences(expected.get(name), found.get(name), f"{where}.{name}")
    elif expected != found:
        yield Difference(where, expected, found)


def _plain(value: Settings) -> dict[str, Any]:
    return value.model_dump(mode="json")


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
