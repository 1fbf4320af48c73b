"""Whether a model can grow many branches from one reading of a prompt: tried out, not looked up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recdistill.teachers.decoding.branches import Branches, PlainBranches, SharedBranches
from recdistill.teachers.decoding.decoder import Decoder

Branching = Callable[[Decoder, Sequence[Sequence[int]]], Branches]

_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
_ROUGH = 0.2
"""How large the difference may be beside what one other token in the prompt would make: in full precision next to
nothing, in half precision (where a real difference is still of the order of 1) what rounding does."""


def branching(decoder: Decoder) -> type[SharedBranches] | type[PlainBranches]:
    """The quick way, if on a small tree it says what the plain way says; else the plain way.

    The first token's level and the next are grown one after the other, as beams are, and side by side, as candidates
    are; prompts differ in length; siblings differ, so that a token that saw its sibling would show.
    """
    try:
        shared = _said(SharedBranches, decoder, 0)
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError, KeyError):
        return PlainBranches  # It takes no such mask, no such cache, or no places.
    plain, other = (_said(PlainBranches, decoder, change) for change in (0, 1))
    allowed = _TOLERANCE.get(decoder.dtype, _ROUGH) * float((other - plain).abs().mean())
    return SharedBranches if float((shared - plain).abs().mean()) <= allowed else PlainBranches


def within_sight(decoder: Decoder, prompts: Sequence[Sequence[int]], depth: int) -> bool:
    """Whether every layer sees all of the prompts from anywhere in their branches."""
    return decoder.window is None or max(map(len, prompts)) + depth <= decoder.window


def _said(way: Branching, decoder: Decoder, change: int) -> Float[Tensor, "prompts nodes tokens"]:
    size = decoder.model.get_input_embeddings().weight.shape[0]
    draw = np.random.default_rng(0)
    prompts = [draw.integers(size, size=length).tolist() for length in (9, 6)]
    for prompt in prompts:
        prompt[2] = (prompt[2] + change) % size
    branches = way(decoder, prompts)
    levels = [[-1, 0, 0, 1, 1, 2], [3, 3, 5]]
    said = [
        branches.grow(
            draw.integers(size, size=(2, len(parents))), np.array([parents] * 2, dtype=np.int64)
        )
        for parents in levels
    ]
    return torch.cat(said, dim=1).float()
