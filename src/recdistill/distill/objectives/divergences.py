"""How far two distributions are apart, from their log-probabilities; shared by every objective that
has two.

Every function takes the teacher's and the student's log-probabilities over the same last dimension
and returns one number, in nats, for each row.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Divergence = Callable[[Float[Tensor, "*rows k"], Float[Tensor, "*rows k"]], Float[Tensor, "*rows"]]


def forward_kl(
    teacher: Float[Tensor, "*rows k"], student: Float[Tensor, "*rows k"]
) -> Float[Tensor, "*rows"]:
    """KL(teacher ‖ student) = Σ p_T (log p_T − log p_S): the student must cover all that the
    teacher likes."""
    return (teacher.exp() * (teacher - student)).sum(-1)


def reverse_kl(
    teacher: Float[Tensor, "*rows k"], student: Float[Tensor, "*rows k"]
) -> Float[Tensor, "*rows"]:
    """KL(student ‖ teacher): the student must not like what the teacher does not (mode-seeking)."""
    return forward_kl(student, teacher)


def jensen_shannon(
    teacher: Float[Tensor, "*rows k"], student: Float[Tensor, "*rows k"]
) -> Float[Tensor, "*rows"]:
    """½ KL(p_T ‖ m) + ½ KL(p_S ‖ m) with m = ½ (p_T + p_S): symmetric and at most ln 2 (Lin
    1991)."""
    middle = torch.logaddexp(teacher, student) - math.log(2)
    return 0.5 * (forward_kl(teacher, middle) + forward_kl(student, middle))


def skew_kl(
    teacher: Float[Tensor, "*rows k"], student: Float[Tensor, "*rows k"], skew: float
) -> Float[Tensor, "*rows"]:
    """KL(p_T ‖ α p_T + (1 − α) p_S): at most −ln α, and 0 ≤ α < 1 is its `skew` (Lee 2001; Ko et
    al. 2024, DistiLLM). At α = 0 it is `forward_kl`."""
    return forward_kl(teacher, _mixture(teacher, student, skew))


def skew_reverse_kl(
    teacher: Float[Tensor, "*rows k"], student: Float[Tensor, "*rows k"], skew: float
) -> Float[Tensor, "*rows"]:
    """KL(p_S ‖ (1 − α) p_T + α p_S): the same with the two sides exchanged. At α = 0 it is
    `reverse_kl`."""
    return forward_kl(student, _mixture(student, teacher, skew))


def _mixture(
    one: Float[Tensor, "*rows k"], other: Float[Tensor, "*rows k"], share: float
) -> Float[Tensor, "*rows k"]:
    """log(share · exp(one) + (1 − share) · exp(other))."""
    if share == 0:
        return other
    return torch.logaddexp(one + math.log(share), other + math.log1p(-share))
