"""Log-probabilities over the items that a teacher listed, with or without all others as one more.

With the bucket of all others, both sides are distributions over the same k + 1 classes, and every
divergence between them is the exact one of the two models seen through these classes.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_FAINTEST = -80.0
"""The least log-probability a bucket is given: e⁻⁸⁰ ≈ 10⁻³⁵ counts for nothing and stays finite."""


def renormalised(
    logits: Float[Tensor, "positions k"], temperature: float | Float[Tensor, ""]
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
