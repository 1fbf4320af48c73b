"""`outcome`: what came of an event, beside which item it was: as it was observed, or as another model foretells it.

Observed, at positions whose next item i was rated r:

    rating   ( o_S(h, i) − r )²
    like     BCE( 1[r ≥ at_least], σ(o_S(h, i)) )

Taught by a model `of` a better one with such a head, at the next item and at `draws` items drawn from the whole
catalogue, J in all:

    rating   1/|J| · Σ_{j ∈ J} ( o_S(h, j) − o_T(h, j) )²
    like     T²/|J| · Σ_{j ∈ J} BCE( σ(o_T(h, j) / T), σ(o_S(h, j) / T) )

A user rates few items, and chose which: what would have come of the others nobody observed, but a teacher has a guess
at all of them, and its guesses are not as noisy as ratings. A teacher for each head is the setting of Clark et al. 2019
(BAM: single-task models teach one multi-task model).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from jaxtyping import Float, Int64
from pydantic import NonNegativeInt, model_validator
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from recdistill.distill.companions import AnyCompanion, Companion
from recdistill.distill.objectives.contract import Knobs, Objective, Places
from recdistill.distill.output import Output
from recdistill.distill.schedules import Temperature
from recdistill.errors import ConfigError
from recdistill.models.outcomes import OutcomeHeads, OutcomeName

Counts = Float[Tensor, " positions"]
"""1 where a term is defined, 0 elsewhere."""


def squares(told: Tensor, given: Tensor) -> Tensor:
    """(told − given)², one by one."""
    return (told - given).square()


def doubts(told: Tensor, chances: Tensor) -> Tensor:
    """BCE(chances, σ(told)), one by one."""
    return binary_cross_entropy_with_logits(told, chances, reduction="none")


_RIGHT: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"rating": squares, "like": doubts}
"""How far an answer is from what was observed."""
_AGREED: Mapping[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "rating": lambda told, guess, heat: squares(told, guess),
    "like": lambda told, guess, heat: heat**2 * doubts(told / heat, torch.sigmoid(guess / heat)),
}
"""How far an answer is from another model's, at a temperature."""


class Outcome(Objective):
    """A head's answers beside what was observed, or beside another model's."""

    kind: Literal["outcome"] = "outcome"
    head: OutcomeName
    """Which outcome."""
    of: AnyCompanion | None = None
    """Who foretells it; what was observed teaches when nobody is named."""
    draws: NonNegativeInt = 0
    """How many items of the catalogue somebody is asked about at each position, beside the next one."""
    temperature: Temperature = 1.0
    """T: above 1 the doubts of who foretells a like weigh more."""

    @model_validator(mode="after")
    def _asks_somebody(self) -> Outcome:
        if self.of is None and self.draws:
            raise ValueError(
                "`draws` asks about items that nobody rated: say `of` whom, or drop it"
            )
        if self.of is None and self.temperature != 1.0:
            raise ValueError(
                "`temperature` softens what somebody says: name whom under `of`, or drop it"
            )
        if self.of is not None and self.of.kind == "itself":
            raise ValueError("a head has nothing to learn from its own answers: name another `of`")
        if self.of is not None and self.of.kind == "peer":
            raise ValueError("a `peer` learns the next item only; let a `tutor` foretell outcomes")
        if self.head == "rating" and self.temperature != 1.0:
            raise ValueError("a rating has no `temperature`; drop it")
        return self

    @property
    def companion(self) -> Companion | None:
        """Who foretells."""
        return self.of

    def fit(self, student: OutcomeHeads, teacher: OutcomeHeads | None) -> None:
        """Raise `ConfigError` where one of the two lacks the head, or means something else by it."""
        who = f"Objective '{self.label}'"
        own = student.require(self.head, who, "the student").settings
        theirs = own
        if teacher is not None:
            theirs = teacher.require(self.head, who, "the model that teaches it").settings
        if own != theirs:
            raise ConfigError(
                f"{who} compares heads for '{self.head}' that mean different things: {own!r} and {theirs!r}.",
                "Give both models the same settings under `outcomes`.",
            )

    def __call__(
        self, student: Output, teacher: Output | None, places: Places, knobs: Knobs
    ) -> tuple[Float[Tensor, " positions"], Counts]:
        """The loss of each position, and where there is any.

        Args:
            student: what it says; gradients flow.
            teacher: what the other says about the same batch, where there is one.
            places: with the `ratings` of the next items.
            knobs: the present values of the schedules.
        """
        if teacher is None:
            return self._observed(student, places)
        items, counts = self._asked(student, places)
        told = student.outcomes(self.head, items)
        with torch.no_grad():
            guess = teacher.outcomes(self.head, items)
        losses = _AGREED[self.head](told, guess.to(told), knobs["temperature"])
        shares = counts / counts.sum(1, keepdim=True).clamp_min(1)
        return (losses * shares).sum(1), (counts.sum(1) > 0).to(losses)

    def _observed(
        self, student: Output, places: Places
    ) -> tuple[Float[Tensor, " positions"], Counts]:
        assert places.ratings is not None
        given = student.heads[self.head].settings.observed(places.ratings)
        told = student.outcomes(self.head, places.targets[:, None])[:, 0]
        known = ~given.isnan()
        losses = _RIGHT[self.head](told, torch.where(known, given, 0.0).to(told))
        return losses, known.to(losses)

    def _asked(
        self, student: Output, places: Places
    ) -> tuple[Int64[Tensor, "positions items"], Float[Tensor, "positions items"]]:
        """The items asked about at each position, and whether each counts: an unknown next item does not."""
        shape = len(places.targets), self.draws
        drawn = torch.randint(len(student.table), shape, device=places.targets.device)
        items = torch.cat((places.targets[:, None], drawn), dim=1)
        counts = torch.ones(items.shape, dtype=student.states.dtype, device=items.device)
        counts[:, 0] = (student.batch.targets >= 0).to(counts)
        return items, counts
