"""Whether a temperature suits a teacher, and which would: exp(entropy) is the number to look at."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from recdistill.distill.schedules import Schedule, extremes

_ONE_HOT, _FLAT = 1.05, 0.95
"""So few items in effect are one; so great a share of all is all."""
_UNDERFLOW = 80.0
"""A spread of logits / T beyond which the last items' probability vanishes in float32."""


def temperature_advice(logits: Float[Tensor, "rows k"], schedule: Schedule) -> Iterator[str]:
    """What is wrong with a temperature for these logits of a teacher, with the number to use."""
    low, high = extremes(schedule)
    sharp, flat, k = effective(logits, low), effective(logits, high), logits.shape[1]
    warmer, cooler = too_sharp(logits, low), too_flat(logits, high)
    if warmer is not None and sharp <= _ONE_HOT:
        yield (
            f"at temperature {low:g} the teacher is all but one-hot ({sharp:.2f} items in effect, "
            f"{_ONE_HOT:g} or fewer); use a temperature of about {warmer:.2g}."
        )
    elif warmer is not None:
        yield (
            f"the teacher's logits spread over {_spread(logits):.0f}, which underflows at temperature "
            f"{low:g}; use at least {warmer:.2g}."
        )
    if cooler is not None:
        yield (
            f"at temperature {high:g} the teacher is all but flat ({flat:.0f} of {k} items in "
            f"effect, {_FLAT:.0%} or more); use a temperature of about {cooler:.2g}."
        )


def too_sharp(logits: Float[Tensor, "rows k"], temperature: float) -> float | None:
    """A higher temperature, where the teacher is all but one-hot or underflows at this one."""
    k = logits.shape[1]
    if k > 1 and effective(logits, temperature) <= _ONE_HOT:
        return temperature_for(logits, max(2.0, 0.1 * k))
    least = _spread(logits) / _UNDERFLOW
    return least if least > temperature else None


def too_flat(logits: Float[Tensor, "rows k"], temperature: float) -> float | None:
    """A lower temperature, where the teacher is all but flat at this one."""
    k = logits.shape[1]
    flat = k > 1 and effective(logits, temperature) >= _FLAT * k
    return temperature_for(logits, 0.5 * k) if flat else None


def _spread(logits: Float[Tensor, "rows k"]) -> float:
    """The median distance from the best to the last item listed."""
    return (logits.max(-1).values - logits.min(-1).values).median().item()


def effective(logits: Float[Tensor, "rows k"], temperature: float) -> float:
    """The median over rows of exp(entropy): how many items the teacher speaks about in effect."""
    logs = torch.log_softmax(logits / temperature, dim=-1)
    return (-(logs.exp() * logs).sum(-1)).exp().median().item()


def temperature_for(logits: Float[Tensor, "rows k"], wanted: float) -> float:
    """The temperature at which the teacher speaks about `wanted` items in effect, by bisection."""
    low, high = 1e-3, 1e3
    for _ in range(40):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if effective(logits, middle) < wanted else (low, middle)
    return high
