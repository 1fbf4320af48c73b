"""Who orders candidates: what every judge can do, and how judges are kept."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64, UInt64

from recdistill.data.reasons import Reasons
from recdistill.data.sequences import Sequences
from recdistill.errors import CheckpointError
from recdistill.files import content_hash, read_json, write_json

RECORD = "judge.json"
JUDGES: dict[str, tuple[str, str]] = {
    "silent": ("recdistill.teachers.judging", "Silent"),
    "chat": ("recdistill.teachers.listwise.judge", "ChatJudge"),
    "likelihood": ("recdistill.teachers.decoding.judge", "LikelihoodJudge"),
    "lists": ("recdistill.teachers.hearsay.judge", "ListJudge"),
}
"""The class of each kind of judge, by the module that holds it: a judge may need packages that others do not."""


class Judge(Protocol):
    """Somebody who knows which of a few candidates suits a history best.

    Attributes:
        kind: its name in `JUDGES`.
        history: how many of the latest items it looks at.
    """

    kind: ClassVar[str]
    history: int

    def judge(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> Float32[np.ndarray, "rows c"]:
        """How much it prefers each candidate (log scale, higher is better); NaN where it says nothing.

        Histories hold no more than the latest `history` items; candidates are dense ids, the base's best first,
        none twice in a row.
        """
        ...

    def identity(self) -> str:
        """A hash of everything that decides what it says."""
        ...

    def save(self, folder: Path) -> None:
        """Write all it needs to judge again (texts of items too, secrets never) into an existing folder."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        ...


Proposed = Callable[[Int64[np.ndarray, " rows"]], Int64[np.ndarray, "rows c"]]
"""The candidates of the histories in these rows; worked out only if somebody needs them."""


@runtime_checkable
class GivesReasons(Protocol):
    """A judge that gives reasons beside its order."""

    def why(
        self, histories: Sequences, proposed: Proposed, item_keys: UInt64[np.ndarray, " items"]
    ) -> Reasons:
        """Its reasons about `histories`, and perhaps others, of those it gave already: nobody is asked.

        Args:
            histories: at least the latest items that it looks at.
            proposed: their candidates.
            item_keys: a 64-bit hash of each item's raw id.
        """
        ...


@runtime_checkable
class Remembers(Protocol):
    """A judge whose answers are paid for, and kept."""

    def remembering(self) -> Judge:
        """One that says again what this one said, and nothing else: nobody is asked."""
        ...


class Silent:
    """A judge that never says anything: whoever asks it is left with the base."""

    kind: ClassVar[str] = "silent"
    history: int = 1

    def judge(
        self, histories: Sequences, candidates: Int64[np.ndarray, "rows c"]
    ) -> Float32[np.ndarray, "rows c"]:
        """Nothing."""
        return np.full(candidates.shape, np.nan, dtype=np.float32)

    def identity(self) -> str:
        """All silence is alike."""
        return content_hash([self.kind])

    def save(self, folder: Path) -> None:
        """There is nothing to keep."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Another one."""
        return cls()


def save_judge(judge: Judge, folder: Path) -> None:
    """Write `judge.json`, which says what kind it is, and what the judge itself keeps beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    judge.save(folder)
    write_json(folder / RECORD, {"kind": judge.kind, "identity": judge.identity()})


def load_judge(folder: Path) -> Judge:
    """What `save_judge` wrote.

    Raises:
        CheckpointError: it is missing or damaged, or says something else than what was saved.
    """
    try:
        record = read_json(folder / RECORD)
        module, name = JUDGES[record["kind"]]
        judge: Judge = getattr(import_module(module), name).load(folder)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"The judge {folder} cannot be read: {error}.", "Fit the teacher again."
        ) from error
    if judge.identity() != record["identity"]:
        raise CheckpointError(
            f"The judge {folder} is damaged: it is not the one that was saved.",
            "Fit the teacher again.",
        )
    return judge
