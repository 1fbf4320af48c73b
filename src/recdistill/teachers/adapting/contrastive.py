"""The next item of a batch against the batch's others, over texts that are read with gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from recdistill.teachers.adapting.others import Others
from recdistill.training.step import Moment, StepLoss, TorchBatch

Reading = Callable[[Tensor], Tensor]
"""Vectors of texts, by their numbers; `reading.Reader`."""
Runs = tuple[tuple[int, int, int], ...]


class ContrastiveLoss:
    """Mean over positions of the softmax between a state and the vectors of texts: the right one's and others'.

    The state after a position is the mean of the unit vectors of its window's items up to there. Every distinct text of
    a step is read once, whatever it is in it: input, target, or somebody else's negative.
    """

    def __init__(
        self, reader: Reading, others: Others, temperature: float, name: str = "contrastive"
    ) -> None:
        """`others`: against which the right one is held."""
        self._reader, self._others, self._temperature, self._name = (
            reader,
            others,
            temperature,
            name,
        )

    def __call__(self, batch: TorchBatch, moment: Moment) -> StepLoss:
        """The loss of `batch`, whose items are numbers of texts; the same at every moment."""
        drawn, log_weights = self._others(batch)
        texts = torch.cat([batch.items, batch.targets, drawn]).unique()
        vectors = nn.functional.normalize(self._reader(texts), dim=-1)
        with torch.autocast(vectors.device.type, enabled=False):  # cosines are divided by little
            states = window_means(vectors[torch.searchsorted(texts, batch.items)], batch.runs)
            logits = states @ vectors[torch.searchsorted(texts, drawn)].T / self._temperature
            right = torch.searchsorted(drawn, batch.targets)
            own = of_own_window(batch, drawn)
            total = in_batch_softmax(logits, right, log_weights, own).mean()
        return StepLoss(total, {self._name: total.detach()}, len(batch))


def in_batch_softmax(
    logits: Float[Tensor, "positions drawn"],
    right: Int64[Tensor, " positions"],
    log_weights: Float[Tensor, " drawn"],
    own: Bool[Tensor, "positions drawn"],
) -> Float[Tensor, " positions"]:
    """`log(exp z_right + Σ_{j not own} w_j exp z_j) - z_right`: the catalogue's softmax, from what was drawn.

    The right one is always there and counts once (Khrylchenko et al. 2025). What a window holds itself is left out: in
    a batch it is far more frequent than in the catalogue, and the very last thing that its user would not take (Yuan
    et al. 2023); a mean of vectors lies near these in any case.

    Args:
        logits: of every state with every text that is a target in the batch.
        right: the column of each position's own target.
        log_weights: `log w` of each column; −∞ for one that counts only where it is right.
        own: which columns are of the position's window.
    """
    at = logits.gather(1, right[:, None])
    others = (logits + log_weights).masked_fill(own, -torch.inf)
    return torch.cat([at, others], dim=1).logsumexp(1) - at[:, 0]


def window_means(
    vectors: Float[Tensor, "positions width"], runs: Runs
) -> Float[Tensor, "positions width"]:
    """At each position the mean of its window's vectors up to there."""
    means = [
        vectors[first : first + rows * length].view(rows, length, -1).cumsum(1)
        / torch.arange(1, length + 1, device=vectors.device)[:, None]
        for first, rows, length in runs
    ]
    return torch.cat([mean.flatten(0, 1) for mean in means])


def of_own_window(
    batch: TorchBatch, drawn: Int64[Tensor, " drawn"]
) -> Bool[Tensor, "positions drawn"]:
    """Which of the (ascending) texts `drawn` are in each position's window, as input or target."""
    lengths = torch.cat([torch.full((rows,), length) for _, rows, length in batch.runs])
    window = torch.arange(len(lengths)).repeat_interleave(lengths).to(drawn.device)
    held = torch.zeros(len(lengths), len(drawn), dtype=torch.bool, device=drawn.device)
    for texts in (batch.items, batch.targets):
        column = torch.searchsorted(drawn, texts).clamp_(max=len(drawn) - 1)
        there = drawn[column] == texts
        held[window[there], column[there]] = True
    return held[window]
