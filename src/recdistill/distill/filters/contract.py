"""What a filter is: a frozen description and a pure call between a signal and the term that hears it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recdistill.distill.places import Knobs, Places, Signal
from recdistill.distill.schedules import Scheduled
from recdistill.errors import ConfigError
from recdistill.models.logits import Logits
from recdistill.signals.kinds import SignalKind

LISTS: frozenset[str | None] = frozenset({"top-k"})
"""Signals that list items."""
POSITIONS: frozenset[str | None] = LISTS | {"hard-label"}
"""Signals about positions, whatever they say of them."""


@dataclass(frozen=True)
class Heard:
    """What reaches a term at some positions.

    Attributes:
        signal: what the teacher said.
        counts: how much each position counts; 0 where the term must not hear the teacher.
        temperature: at which the signal's `rest` is summed.
    """

    signal: Signal
    counts: Float[Tensor, " positions"]
    temperature: float = 1.0

    def __getitem__(self, part: slice) -> Heard:
        signal = {name: field[part] for name, field in self.signal.items()}
        return replace(self, signal=signal, counts=self.counts[part])

    def only(self, positions: Bool[Tensor, " positions"]) -> Heard:
        """The same, where `positions` says so."""
        return replace(self, counts=torch.where(positions, self.counts, 0.0))


class Filter(Scheduled):
    """Decides what of a signal a term hears. Filters of a term apply in their order.

    The term's loss stays a mean over all positions at which the teacher spoke: what is filtered out
    counts as 0, so that the weight of a position does not depend on how many others were left out.
    """

    @property
    def hears(self) -> frozenset[str | None]:
        """The kinds of signal it knows what to do with; `None` stands for a term without a teacher."""
        return LISTS

    @property
    def needs_target(self) -> bool:
        """Whether it knows what to do only where the next item is known."""
        return False

    def check(self, kind: SignalKind | None, who: str) -> None:
        """Refuse a term `who` that hears another kind of signal, or none.

        Raises:
            ConfigError: naming both.
        """
        spoken = kind.kind if kind else None
        if spoken not in self.hears:
            name = getattr(self, "kind", type(self).__name__)
            fit = " or ".join(sorted(f"'{heard}'" for heard in self.hears if heard))
            raise ConfigError(
                f"{who} hears {spoken or 'no teacher'}, but its filter '{name}' works on {fit}.",
                "Drop the filter, or put it on another term.",
            )

    @abstractmethod
    def __call__(self, heard: Heard, logits: Logits, places: Places, knobs: Knobs) -> Heard:
        """What is left of `heard`.

        Args:
            heard: the signal of some positions, after the filters before this one.
            logits: of the student there, to look at; no gradients flow through a filter.
            places: the targets, among others.
            knobs: the present values of the schedules.
        """
