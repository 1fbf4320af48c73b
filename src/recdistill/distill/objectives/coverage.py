"""Whether a list speaks for its teacher: how much of the teacher's probability it holds."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from recdistill.distill.objectives.contract import Signal

_LITTLE = 0.05
"""A share of the teacher's probability that is too small to stand for the whole."""


def coverage_advice(signal: Signal, otherwise: str) -> Iterator[str]:
    """A sentence where the listed items hold too little, with what to do instead."""
    listed, k = -torch.expm1(signal["rest"]).median().item(), signal["logits"].shape[1]
    if listed < _LITTLE:
        yield (
            f"the {k} items listed hold {100 * listed:.1f} % of the teacher's probability; "
            f"label with a larger `k`, or use {otherwise}."
        )
