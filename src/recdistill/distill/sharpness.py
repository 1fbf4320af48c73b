"""How sharply a teacher speaks at the temperatures of a recipe, and which temperature would suit it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from recdistill.distill.lookup import Lookup
from recdistill.distill.objectives import Objective
from recdistill.distill.objectives.scales import standardised
from recdistill.distill.objectives.temperatures import effective, too_flat, too_sharp
from recdistill.distill.schedules import extremes

_ROWS = 1024


@dataclass(frozen=True)
class Sharpness:
    """The teacher's stored lists as one term of a recipe hears them.

    Attributes:
        term: its label.
        k: the length of the lists.
        listed: the share of the teacher's probability that they hold, at the temperature they were stored with.
        temperature: the least and the greatest that the term takes.
        entropy: mean over contexts, in nats, at these two; of the listed items among themselves.
        effective: the median of exp(entropy) at these two: how many items the teacher speaks about.
        advised: another temperature, where this one silences the teacher; `None` where it does not.
    """

    term: str
    k: int
    listed: float
    temperature: tuple[float, float]
    entropy: tuple[float, float]
    effective: tuple[float, float]
    advised: float | None


def sharpness(objectives: Iterable[Objective], heard: Mapping[str, Lookup]) -> list[Sharpness]:
    """Each term that hears lists, at its own temperature (1 where it has none)."""
    return [
        _of(objective, heard[objective.source])
        for objective in objectives
        if objective.source == "top-k"
    ]


def _of(objective: Objective, lookup: Lookup) -> Sharpness:
    signal = lookup.sample(_ROWS)
    logits = signal["logits"]
    if getattr(objective, "standardise", False):
        logits = standardised(logits)
    low, high = extremes(getattr(objective, "temperature", 1.0))
    advised = too_sharp(logits, low)
    return Sharpness(
        term=objective.label,
        k=logits.shape[1],
        listed=float(-torch.expm1(signal["rest"]).median()),
        temperature=(low, high),
        entropy=(entropy(logits, low), entropy(logits, high)),
        effective=(effective(logits, low), effective(logits, high)),
        advised=too_flat(logits, high) if advised is None else advised,
    )


def entropy(logits: Float[Tensor, "rows k"], temperature: float) -> float:
    """The mean over rows of −Σ p log p, p = softmax(z / T), in nats."""
    logs = torch.log_softmax(logits / temperature, dim=-1)
    return float(-(logs.exp() * logs).sum(-1).mean())
