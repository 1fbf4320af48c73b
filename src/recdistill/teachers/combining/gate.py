"""The weights of members, the same in all contexts or drawn from a few features of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from recdistill.data.sequences import Sequences

_BOUND = 3.0
"""In standard deviations: a context unlike all of validation is treated like the most unlike of them."""


class Gate(nn.Module):
    """g(x) = softmax(log w + S [1, x̂]), x̂ being the features x, standardised and bounded.

    Without features (or with slopes S = 0) it gives `w` to every context. Everything is double, small and
    stays on the CPU.
    """

    base: Tensor
    centre: Tensor
    spread: Tensor
    slopes: Tensor

    def __init__(
        self,
        base: Float[Tensor, " members"],
        centre: Float[Tensor, " features"],
        spread: Float[Tensor, " features"],
        slopes: Float[Tensor, "members features_and_1"],
    ) -> None:
        """`base` are the weights w, `slopes` begin with a constant for each member."""
        super().__init__()
        for name, values in (
            ("base", base),
            ("centre", centre),
            ("spread", spread),
            ("slopes", slopes),
        ):
            self.register_buffer(name, values.double())

    @classmethod
    def constant(cls, weights: Sequence[float]) -> Gate:
        """The same weights everywhere."""
        base = torch.tensor(weights, dtype=torch.float64)
        return cls(base, base.new_empty(0), base.new_empty(0), base.new_zeros(len(weights), 1))

    @property
    def looks(self) -> bool:
        """Whether the context matters."""
        return len(self.centre) > 0

    def forward(self, features: Float[Tensor, "rows features"]) -> Float64[Tensor, "members rows"]:
        """The logarithms of the weights in each context."""
        inputs = design(features, self.centre, self.spread)
        return (self.base.log()[:, None] + self.slopes @ inputs.T).log_softmax(0)


def design(
    features: Float[Tensor, "rows features"],
    centre: Float[Tensor, " features"],
    spread: Float[Tensor, " features"],
) -> Float64[Tensor, "rows features_and_1"]:
    """A one, and the features standardised and bounded."""
    standard = ((features.double() - centre) / spread).clamp(-_BOUND, _BOUND)
    return torch.cat([standard.new_ones(len(standard), 1), standard], dim=1)


def facts(
    histories: Sequences,
    popularity: Float64[np.ndarray, " items"],
    recent: int,
    window: int | None,
) -> Float64[Tensor, "rows 2"]:
    """What the gate sees of a history: log(1 + length), and the mean of log(1 + popularity) of its latest items.

    Both look no farther back than what every trimming of the history keeps (`Sequences.snapped`), so that a
    context is the same in training, in validation and in serving.
    """
    kept = histories if window is None else histories.tail(window - max(window // 4, 1) + 1)
    latest = kept.tail(recent)
    rows = np.repeat(np.arange(len(latest)), latest.lengths)
    known = np.log1p(popularity)[latest.values[latest.places()]]
    sums = np.bincount(rows, known, len(latest))
    means = sums / np.maximum(latest.lengths, 1)
    return torch.from_numpy(np.stack([np.log1p(kept.lengths), means], axis=1))
