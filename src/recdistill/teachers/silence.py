"""About how many contexts a teacher, or the judge through whom it speaks, had nothing of its own to say, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class TellsSilence(Protocol):
    """A teacher that counts its silences."""

    def silences(self) -> Mapping[str, Counter[str]]:
        """So far: of each kind of signal, by its name, contexts by the reason of silence."""
        ...


@runtime_checkable
class SilentAtTimes(Protocol):
    """A judge that counts about how many histories it said nothing."""

    @property
    def silent(self) -> Counter[str]:
        """Since it was made, by reason."""
        ...


class Listener:
    """Hears, of a teacher that tells, what silences there were since the last time."""

    def __init__(self, teacher: object) -> None:
        self._teacher = teacher
        self._before = self._told()

    def since(self) -> Mapping[str, Counter[str]]:
        """What was added to each kind."""
        before, self._before = self._before, self._told()
        return {kind: told - before.get(kind, Counter()) for kind, told in self._before.items()}

    def _told(self) -> Mapping[str, Counter[str]]:
        return self._teacher.silences() if isinstance(self._teacher, TellsSilence) else {}
