"""How a log is cut into training, validation and test, and the record of what was cut."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from recdistill.files import content_hash
from recdistill.settings import Settings

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class GlobalTime(Settings):
    """Two moments cut the log for everyone: nothing is learned from after the first.

    The moments are quantiles of the times of all events; events of the second of a cut fall on its
    later side. This is the only split that asks what a deployed model is asked.
    """

    kind: Literal["global-time"] = "global-time"
    valid: Fraction = 0.1
    """The fraction of events between the two cuts."""
    test: Fraction = 0.1
    """The fraction of events after the second cut."""
    target: Literal["successive", "last"] = "successive"
    """What is asked: every event of a window after all before it, or only each user's last."""


class LeaveOneOut(Settings):
    """Each user's last event is the test, the last but one validation, as in the literature."""

    kind: Literal["leave-one-out"] = "leave-one-out"


class LastFraction(Settings):
    """Each user's last events, by fraction (rounded down); for logs with an order but no time."""

    kind: Literal["last-fraction"] = "last-fraction"
    valid: Fraction = 0.1
    """The fraction of a user's events before the test."""
    test: Fraction = 0.2
    """The fraction of a user's events at the end."""
    target: Literal["successive", "last"] = "successive"
    """What is asked: every event of a window after all before it, or only each user's last."""


SplitConfig = GlobalTime | LeaveOneOut | LastFraction

_LEAKS = {
    "global-time": "Training ends before validation begins, for everyone.",
    "leave-one-out": (
        "Each user is cut at another moment, so training knows other people's future: "
        "figures are higher than a deployed model's and only compare with the literature."
    ),
    "last-fraction": (
        "Each user is cut at another moment, so training knows other people's future: "
        "figures are higher than a deployed model's."
    ),
}


class CutTimes(Settings):
    """The two moments of a global split, in seconds since 1970; events at a cut come after it."""

    valid: int
    test: int


class SplitManifest(Settings):
    """What was cut, how, and what came of it."""

    settings: SplitConfig = Field(discriminator="kind")
    """The split asked for."""
    cuts: CutTimes | None = None
    """The moments of the cuts, for a global split."""
    has_time: bool = True
    """Whether times are real; otherwise they are ordinals in each user's sequence."""
    train_events: int
    valid_events: int
    test_events: int
    valid_cases: int
    """Validation cases kept (at most `max_valid_cases`)."""
    test_cases: int
    valid_without_history: int
    """Validation events that are no case since too little came before them."""
    test_without_history: int
    """Test events that are no case since too little came before them."""
    valid_left_out: int = 0
    """Validation cases beyond `max_valid_cases`."""
    ties: int = 0
    """Events at the same time as their user's event before; they keep the order of the log."""

    @property
    def kind(self) -> str:
        """The kind of split."""
        return self.settings.kind

    @property
    def leaks(self) -> bool:
        """Whether training knows events later than some it is judged by."""
        return self.kind != "global-time"

    @property
    def why(self) -> str:
        """Why the split leaks, or does not, in a sentence."""
        return _LEAKS[self.kind]

    @cached_property
    def hash(self) -> str:
        """A short hash of everything above."""
        return content_hash(self.model_dump(mode="json"))
