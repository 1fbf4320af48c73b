"""Texts read with gradients, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from recdistill.teachers.adapting.memory import largest_that_fits

Tokens = list[int]
Vectors = Callable[[Sequence[Any]], Tensor]
"""What is made of texts in one pass, given their tokens: a row a text."""


class Reader:
    """The vectors of a library's texts, by number.

    Texts of like length are read together, so that little is padded. Where there are more than fit, each part is read
    without its activations being kept and once more on the way back: the memory of one part, the gradients of all
    (as in Gao et al. 2021, GradCache).

    Attributes:
        at_once: texts of a part.
    """

    def __init__(self, vectors: Vectors, tokens: Sequence[Sized], at_once: int) -> None:
        self._vectors, self._tokens, self.at_once = vectors, tokens, at_once
        self._lengths = torch.tensor([len(text) for text in tokens])

    def __call__(self, texts: Int64[Tensor, " chosen"]) -> Float[Tensor, "chosen *width"]:
        """The vectors of these texts; gradients flow."""
        order = torch.argsort(self._lengths[texts.cpu()], stable=True)
        parts = texts.cpu()[order].split(self.at_once)
        read = self._read
        if len(parts) > 1 and torch.is_grad_enabled():
            read = partial(checkpoint, self._read, use_reentrant=False)
        vectors = torch.cat([read(part) for part in parts])
        return vectors[torch.argsort(order).to(vectors.device)]

    def fit_memory(self, module: nn.Module) -> None:
        """Halve `at_once` until so many of the longest texts can be learned from together; `module` is what reads."""
        longest = torch.argsort(self._lengths, descending=True, stable=True)

        def trial(count: int) -> None:
            try:
                self._read(longest[:count]).sum().backward()
            finally:
                module.zero_grad(set_to_none=True)

        self.at_once = largest_that_fits(trial, min(self.at_once, len(longest)))

    def _read(self, texts: Int64[Tensor, " chosen"]) -> Float[Tensor, "chosen *width"]:
        return self._vectors([self._tokens[text] for text in texts.tolist()])


def alike(lengths: Sequence[int]) -> list[slice]:
    """Ascending `lengths` in parts, none more than a quarter longer than the first of its part: what is padded in one
    pass costs little."""
    parts, start = [], 0
    for at, length in enumerate(lengths):
        if 4 * length > 5 * lengths[start]:
            parts.append(slice(start, at))
            start = at
    return [*parts, slice(start, len(lengths))]
