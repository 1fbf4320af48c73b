"""`kl`: the student's distribution is to be the teacher's, over the teacher's best items.

    L = T² · D( softmax(z_T / T), softmax(z_S / T) )

with D the forward or reverse Kullback–Leibler divergence, one of these skewed, or the
Jensen–Shannon divergence (Hinton, Vinyals & Dean 2015, eq. 1–4; the factor T² keeps the size of the
gradient when the temperature changes). Stored signals hold the teacher's k best items only, so the
distributions are over these, and `rest` says what becomes of the others. With `standardise`, z are
the logits of these items standardised to mean 0 and deviation 1, on both sides, so that the student
takes over the teacher's order and proportions and not its scale (Sun et al. 2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.coverage import coverage_advice
from recdistill.distill.objectives.distributions import (
    bucketed_student,
    bucketed_teacher,
    renormalised,
)
from recdistill.distill.objectives.divergences import (
    Divergence,
    forward_kl,
    jensen_shannon,
    reverse_kl,
    skew_kl,
    skew_reverse_kl,
)
from recdistill.distill.objectives.requirements import require_stored_temperature
from recdistill.distill.objectives.scales import standardised
from recdistill.distill.objectives.temperatures import temperature_advice
from recdistill.distill.schedules import RivalTemperature
from recdistill.models.logits import Logits
from recdistill.signals.kinds import SignalKind


class KL(LogitObjective):
    """Kullback–Leibler (or Jensen–Shannon) divergence from the teacher's best items."""

    kind: Literal["kl"] = "kl"
    on: Literal["top-k"] = "top-k"
    direction: Literal["forward", "reverse", "skew", "skew-reverse", "jensen-shannon"] = "forward"
    """`forward` covers what the teacher likes, `reverse` avoids what it does not, `jensen-shannon`
    is between; `skew` and `skew-reverse` are the first two against a mixture, which tames their
    gradients."""
    skew: float = Field(default=0.1, ge=0, lt=1)
    """α of the skewed directions: the other side's share of the mixture; ignored elsewhere."""
    temperature: RivalTemperature = 1.0
    """T: above 1 the lower ranks speak louder."""
    standardise: bool = False
    """Whether both sides' logits of the list are first brought to mean 0 and deviation 1."""
    rest: Literal["renormalise", "bucket"] = "renormalise"
    """`renormalise` compares the k items among themselves; `bucket` counts all other items as one
    more, so that the student also learns how much lies outside; that needs the temperature at which
    the signal was stored."""

    @model_validator(mode="after")
    def _standardise_lists_only(self) -> KL:
        if self.standardise and self.rest == "bucket":
            raise ValueError(
                "`standardise` is over the listed items, and the rest cannot follow them; "
                "use `rest: renormalise`"
            )
        return self

    @property
    def dense(self) -> bool:
        """Only the bucket needs to know the whole catalogue."""
        return self.rest == "bucket"

    def check(self, kind: SignalKind | None) -> None:
        """Refuse a bucket at another temperature than the signal's: it cannot be converted."""
        if self.rest == "bucket":
            require_stored_temperature(self.label, self.temperature, kind, "`rest: renormalise`")

    def advice(self, signal: Signal) -> Iterator[str]:
        """Temperatures that silence the teacher, and lists too short to speak for it."""
        yield from temperature_advice(self._scaled(signal["logits"]), self.temperature)
        if self.rest == "renormalise":
            yield from coverage_advice(signal, "`rest: bucket`")

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """T² · D(teacher, student) at each position."""
        temperature = knobs["temperature"]
        teacher, student = self._scaled(signal["logits"]), self._scaled(logits.at(signal["items"]))
        if self.rest == "renormalise":
            pair = renormalised(teacher, temperature), renormalised(student, temperature)
        else:
            pair = (
                bucketed_teacher(teacher, signal["rest"], temperature),
                bucketed_student(student, logits.log_normaliser(temperature), temperature),
            )
        return temperature**2 * self._divergence(*pair)

    def _scaled(self, listed: Float[Tensor, "positions k"]) -> Float[Tensor, "positions k"]:
        return standardised(listed) if self.standardise else listed

    @property
    def _divergence(self) -> Divergence:
        divergences: dict[str, Divergence] = {
            "forward": forward_kl,
            "reverse": reverse_kl,
            "skew": partial(skew_kl, skew=self.skew),
            "skew-reverse": partial(skew_reverse_kl, skew=self.skew),
            "jensen-shannon": jensen_shannon,
        }
        return divergences[self.direction]
