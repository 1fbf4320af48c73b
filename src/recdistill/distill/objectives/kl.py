"""`kl`: the student's distribution is to be the teacher's, over the teacher's best items.

    L = T² · D( softmax(z_T / T), softmax(z_S / T) )

with D the forward or reverse Kullback–Leibler or the Jensen–Shannon divergence (Hinton, Vinyals &
Dean 2015, eq. 1–4; the factor T² keeps the size of the gradient when the temperature changes).
Stored signals hold the teacher's k best items only, so the distributions are over these, and `rest`
says what becomes of the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from recdistill.distill.objectives.contract import Knobs, LogitObjective, Places, Signal
from recdistill.distill.objectives.divergences import (
    Divergence,
    forward_kl,
    jensen_shannon,
    reverse_kl,
)
from recdistill.distill.objectives.temperatures import temperature_advice
from recdistill.distill.schedules import Temperature, extremes
from recdistill.errors import ConfigError
from recdistill.models.logits import Logits
from recdistill.signals.kinds import SignalKind, TopK

_DIVERGENCES: dict[str, Divergence] = {
    "forward": forward_kl,
    "reverse": reverse_kl,
    "jensen-shannon": jensen_shannon,
}

_LITTLE = 0.05
"""A share of the teacher's probability that is too small to stand for the whole."""

_FAINTEST = -80.0
"""The least log-probability a bucket is given: e⁻⁸⁰ ≈ 10⁻³⁵ counts for nothing and stays finite."""


def renormalised(
    logits: Float[Tensor, "positions k"], temperature: float
) -> Float[Tensor, "positions k"]:
    """Log-probabilities of the k items among themselves: log softmax(z / T)."""
    return torch.log_softmax(logits / temperature, dim=-1)


def bucketed_teacher(
    logits: Float[Tensor, "positions k"], rest: Float[Tensor, " positions"], temperature: float
) -> Float[Tensor, "positions k_plus_1"]:
    """Log-probabilities of the k items and, last, of all others together.

    Args:
        logits: the teacher's, of the k items.
        rest: log Σ exp(z / T) over all other items, at this very temperature.
        temperature: T.
    """
    terms = torch.cat([logits / temperature, rest.unsqueeze(-1)], dim=-1)
    return torch.log_softmax(terms, dim=-1).clamp_min(_FAINTEST)


def bucketed_student(
    logits: Float[Tensor, "positions k"],
    normaliser: Float[Tensor, " positions"],
    temperature: float,
) -> Float[Tensor, "positions k_plus_1"]:
    """The same of the student, whose `normaliser` log Σ exp(z / T) is over the whole catalogue.

    The bucket is log(1 − Σ_k p); its mass is kept at least one rounding step from 0, where the
    difference of two equal numbers would otherwise be nothing but rounding.
    """
    listed = logits / temperature - normaliser.unsqueeze(-1)
    mass = listed.exp().sum(-1, keepdim=True)
    bucket = torch.log((1 - mass).clamp_min(torch.finfo(mass.dtype).eps))
    return torch.cat([listed, bucket], dim=-1)


class KL(LogitObjective):
    """Kullback–Leibler (or Jensen–Shannon) divergence from the teacher's best items."""

    kind: Literal["kl"] = "kl"
    on: Literal["top-k"] = "top-k"
    direction: Literal["forward", "reverse", "jensen-shannon"] = "forward"
    """`forward` covers what the teacher likes, `reverse` avoids what it does not, `jensen-shannon`
    is between."""
    temperature: Temperature = 1.0
    """T: above 1 the lower ranks speak louder."""
    rest: Literal["renormalise", "bucket"] = "renormalise"
    """`renormalise` compares the k items among themselves; `bucket` counts all other items as one
    more, so that the student also learns how much lies outside; that needs the temperature at which
    the signal was stored."""

    @property
    def dense(self) -> bool:
        """Only the bucket needs to know the whole catalogue."""
        return self.rest == "bucket"

    def check(self, kind: SignalKind | None) -> None:
        """Refuse a bucket at another temperature than the signal's: it cannot be converted."""
        low, high = extremes(self.temperature)
        if self.rest == "renormalise" or not isinstance(kind, TopK):
            return
        if (low, high) != (kind.temperature, kind.temperature):
            wanted = f"{low:g}" if low == high else f"{low:g} … {high:g}"
            raise ConfigError(
                f"Objective '{self.label}' wants the rest of the catalogue as a bucket at "
                f"temperature {wanted}, but the signals keep it at {kind.temperature:g}.",
                f"Set `temperature: {kind.temperature:g}`, or `rest: renormalise`, or label again "
                f"with `{{kind: top-k, temperature: {low:g}}}`.",
            )

    def advice(self, signal: Signal) -> Iterator[str]:
        """Temperatures that silence the teacher, and lists too short to speak for it."""
        yield from temperature_advice(signal["logits"], self.temperature)
        listed, k = -torch.expm1(signal["rest"]).median().item(), signal["logits"].shape[1]
        if self.rest == "renormalise" and listed < _LITTLE:
            yield (
                f"the {k} items listed hold {100 * listed:.1f} % of the teacher's probability; "
                "label with a larger `k`, or use `rest: bucket`."
            )

    def __call__(
        self, logits: Logits, places: Places, signal: Signal, knobs: Knobs
    ) -> Float[Tensor, " positions"]:
        """T² · D(teacher, student) at each position."""
        temperature = knobs["temperature"]
        student = logits.at(signal["items"])
        divergence = _DIVERGENCES[self.direction]
        if self.rest == "renormalise":
            pair = renormalised(signal["logits"], temperature), renormalised(student, temperature)
        else:
            pair = (
                bucketed_teacher(signal["logits"], signal["rest"], temperature),
                bucketed_student(student, logits.log_normaliser(temperature), temperature),
            )
        return temperature**2 * divergence(*pair)
