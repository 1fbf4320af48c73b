"""What an objective is: a frozen description and a pure call.

An objective is one file: a pure function that compares, and a thin `Settings` class that names it,
says `on` what kind of signal it works and which of its numbers are schedules. It never loads
signals, weights, masks or averages: the distiller does that for all of them, so two objectives
differ only in what they compare.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Literal

from jaxtyping import Float
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from recdistill.distill.companions import AnyCompanion, Companion, Teacher
from recdistill.distill.filters import AnyFilter
from recdistill.distill.heads import AnyHead, Served
from recdistill.distill.output import Output
from recdistill.distill.places import Knobs, Places, Signal
from recdistill.distill.schedules import Scheduled, Weight
from recdistill.models.internals import Anatomy
from recdistill.models.logits import Logits
from recdistill.signals.kinds import SignalKind

__all__ = [
    "Knobs",
    "LiveObjective",
    "LogitObjective",
    "Objective",
    "Places",
    "Signal",
    "VectorObjective",
]


class Objective(Scheduled):
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
    def hears(self) -> str | None:
        """The kind of signal it works `on`, whoever gives it; `None` when it hears none."""
        return getattr(self, "on", None)

    @property
    def companion(self) -> Companion | None:
        """Who speaks to it inside the step."""
        return None

    @property
    def source(self) -> str | None:
        """The kind of signal that must have been stored for it."""
        return None if self.companion else self.hears

    @property
    def taught(self) -> bool:
        """Whether anybody teaches it."""
        return self.source is not None or self.companion is not None

    def check(self, kind: SignalKind | None) -> None:
        """Raise `ConfigError` when a signal of this `kind` and settings cannot serve the term."""

    def advice(self, signal: Signal) -> Iterable[str]:
        """What a person should know, having looked at some of the `signal`; nothing when all is well."""
        return ()


class LogitObjective(Objective):
    """Works inside the chunked loss, on the logits of one chunk of positions."""

    filters: tuple[AnyFilter, ...] = ()
    """What of the signal the term hears, and how much each position counts; applied in order."""

    of: AnyCompanion | None = None
    """Who says the signal inside the step; the given teacher's stored signals are heard when nobody is named."""
    head: AnyHead = Served()
    """Where in the student the logits are read."""

    @model_validator(mode="after")
    def _hears_somebody(self) -> LogitObjective:
        if self.of and self.hears is None:
            raise ValueError("`of` names who speaks, but this term hears nobody; drop it")
        return self

    @property
    def companion(self) -> Companion | None:
        """Who speaks to it inside the step."""
        return self.of

    @property
    def dense(self) -> bool:
        """Whether it asks for `log_normaliser` or `full`, which need the logits of the whole
        catalogue."""
        return True

    @property
    def needs_target(self) -> bool:
        """Whether it is defined only where the next item is known."""
        return not self.taught

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
    are passed. The two sides keep their own spaces, which may differ in width; what carries one
    into the other is learned, and arrives as an argument.
    """

    on: Literal["item-vectors", "user-vectors"] = "item-vectors"
    """Whether items or users are compared."""
    sample: PositiveInt = 1024
    """The most pairs compared a step, drawn among the items (or positions) of the batch."""

    @abstractmethod
    def bridge(self, width: int, teacher: Float[Tensor, "rows teacher_width"]) -> nn.Module:
        """What the objective learns beside the student: dropped after training, so the student
        costs nothing more to serve. `nn.Identity()` where there is nothing to learn.

        Args:
            width: of the student's vectors.
            teacher: some of the teacher's vectors, to learn their statistics from.
        """

    @abstractmethod
    def __call__(
        self,
        student: Float[Tensor, "rows width"],
        teacher: Float[Tensor, "rows teacher_width"],
        bridge: Any,
        knobs: Knobs,
    ) -> Float[Tensor, " rows"]:
        """The loss of each pair.

        Args:
            student: its vectors; gradients flow.
            teacher: what the teacher said of the same items or positions.
            bridge: what `bridge` gave, in its present state.
            knobs: the present values of the schedules.
        """


class LiveObjective(Objective):
    """Works on two models side by side, inside the step: what cannot be stored (hidden states, attention,
    gradients, answers about worlds that never were) is compared position by position.
    """

    of: AnyCompanion = Teacher()
    """Who is compared with."""

    @property
    def companion(self) -> Companion:
        """Who speaks to it inside the step."""
        return self.of

    @property
    def watches(self) -> bool:
        """Whether it looks at both models' internals."""
        return True

    def fit(self, student: Anatomy, teacher: Anatomy) -> None:
        """Raise `ConfigError` when models so made cannot be compared."""

    @abstractmethod
    def bridge(self, student: Anatomy, teacher: Anatomy) -> nn.Module:
        """What the objective learns beside the student: dropped after training."""

    @abstractmethod
    def __call__(
        self, student: Output, teacher: Output, bridge: Any, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """The loss of each position.

        Args:
            student: what it says; gradients flow. Its internals are there when it `watches`.
            teacher: what it says about the same batch; no gradients.
            bridge: what `bridge` gave, in its present state.
            knobs: the present values of the schedules.
        """
