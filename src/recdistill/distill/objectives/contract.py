"""What an objective is: a frozen description and a pure call.

An objective is one file: a pure function that compares, and a thin `Settings` class that names it,
says `on` what kind of signal it works and which of its numbers are schedules. It never loads
signals, weights, masks or averages: the distiller does that for all of them, so two objectives
differ only in what they compare.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jaxtyping import Float, Int64
from pydantic import AfterValidator, Field, PositiveInt
from torch import Tensor, nn

from recdistill.distill.schedules import Feedback, Weight, Within, value
from recdistill.models.logits import Logits
from recdistill.settings import Settings
from recdistill.signals.kinds import SignalKind

Knobs = Mapping[str, float]
"""The present value of each schedule of an objective, by field name."""

Signal = Mapping[str, Tensor]
"""What a teacher said, field by field; every field's first dimension is the position (or item)."""


@dataclass(frozen=True)
class Places:
    """What is known of some positions beside what a teacher says.

    Attributes:
        targets: the next item; an arbitrary item where it is unknown.
        popularity: how often each item of the catalogue occurs in training.
    """

    targets: Int64[Tensor, " positions"]
    popularity: Float[Tensor, " items"]

    def __getitem__(self, part: slice) -> Places:
        return Places(self.targets[part], self.popularity)


class Objective(Settings):
    """One term of what a student is trained for."""

    weight: Weight = 1.0
    """How much the term counts; the total is the weighted sum of the terms."""
    name: str | None = Field(default=None, min_length=1)
    """How logs call the term; its kind when not given. Two terms of one kind need names."""

    @property
    def label(self) -> str:
        """The name in logs and reports."""
        return self.name or str(getattr(self, "kind", type(self).__name__))

    @property
    def source(self) -> str | None:
        """The kind of signal it works `on`; `None` when it needs no teacher."""
        return getattr(self, "on", None)

    def check(self, kind: SignalKind | None) -> None:
        """Raise `ConfigError` when a signal of this `kind` and settings cannot serve the term."""

    def advice(self, signal: Signal) -> Iterable[str]:
        """What a person should know, having looked at some of the `signal`; nothing when all is well."""
        return ()

    def knobs(self, progress: float, feedback: Feedback) -> dict[str, float]:
        """The present value of every field that is a schedule."""
        return {
            name: value(getattr(self, name), progress, feedback) for name in _schedules(type(self))
        }


class LogitObjective(Objective):
    """Works inside the chunked loss, on the logits of one chunk of positions."""

    @property
    def dense(self) -> bool:
        """Whether it asks for `log_normaliser` or `full`, which need the logits of the whole
        catalogue."""
        return True

    @property
    def needs_target(self) -> bool:
        """Whether it is defined only where the next item is known."""
        return self.source is None

    @abstractmethod
    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The loss of each position.

        Args:
            logits: of the student at these positions, on request.
            places: the targets, among others; positions of unknown target are masked when
                `needs_target`.
            signal: what the teacher said at these positions; arbitrary where it said nothing (such
                positions are masked).
            knobs: the present values of the schedules.
        """


class VectorObjective(Objective):
    """Works outside the chunked loss, on pairs of vectors: the student's beside the teacher's.

    The kind of signal decides what is paired: item vectors with rows of the student's item table,
    user vectors with the student's states. Only items and positions about which the teacher spoke
    are passed.
    """

    sample: PositiveInt = 1024
    """The most pairs compared a step, drawn among the items (or positions) of the batch."""

    @abstractmethod
    def bridge(self, width: int, teacher: Float[Tensor, "rows teacher_width"]) -> nn.Module:
        """What carries both sides into one space, learned with the student and dropped after
        training.

        Args:
            width: of the student's vectors.
            teacher: some of the teacher's vectors, to learn their statistics from.

        Returns:
            A module that maps `(student, teacher)` vectors to a pair of equal width.
        """

    @abstractmethod
    def __call__(
        self,
        student: Float[Tensor, "rows width"],
        teacher: Float[Tensor, "rows width"],
        knobs: Knobs,
    ) -> Float[Tensor, " rows"]:
        """The loss of each pair, after the bridge."""


@cache
def _schedules(kind: type[Objective]) -> tuple[str, ...]:
    return tuple(
        name
        for name, field in kind.model_fields.items()
        if any(_is_range(mark) for mark in field.metadata)
    )


def _is_range(mark: Any) -> bool:
    return isinstance(mark, AfterValidator) and isinstance(mark.func, Within)
