"""Pre-norm transformer blocks on packed histories: flat positions everywhere, dense views only inside attention."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from recdistill.models.products import linear

Runs = tuple[tuple[int, int, int], ...]
"""`(first position, rows, length)` of each run of histories of equal length; see `data.batches.Batch`."""


class ByteDropout(nn.Module):
    """Dropout whose coins are bytes: an eighth of the random numbers of a float mask.

    The rate is rounded to 1/256 and the survivors are scaled by the rounded rate, so the expectation is exact.
    Randomness comes from torch's generator of the device, so a restored generator state restores the masks.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    @property
    def cut(self) -> int:
        """So many of 256 coins are zeros."""
        return round(self.rate * 256)

    def forward(self, values: Float[Tensor, "positions width"]) -> Float[Tensor, "positions width"]:
        """Zero each value with probability `cut / 256`."""
        if not self.training or not self.cut:
            return values
        words = torch.empty(-(-values.numel() // 8), dtype=torch.int64, device=values.device)
        coins = words.random_(-(2**63), None).view(torch.uint8)[: values.numel()].view(values.shape)
        # Compared straight into numbers: a mask of booleans would be converted at several times the cost.
        mask = torch.ge(coins, self.cut, out=torch.empty_like(values, requires_grad=False))
        return values * mask.mul_(256 / (256 - self.cut))


class Attention(nn.Module):
    """Causal self-attention within each history of a packed batch."""

    def __init__(self, width: int, heads: int, depth: int | None = None) -> None:
        """`depth` is the width of a head; heads share `width` when it is not given."""
        super().__init__()
        self.heads, depth = heads, depth or width // heads
        self.inward = nn.Linear(width, 3 * heads * depth)
        self.outward = nn.Linear(heads * depth, width)
        self.mixing = Mixing()

    def forward(
        self, values: Float[Tensor, "positions width"], runs: Runs, turn: Tensor | None = None
    ) -> Float[Tensor, "positions width"]:
        """Mix each position with those before it; `turn` holds the rotary angles, if any."""
        parts = linear(self.inward, values).unflatten(1, (3, self.heads, -1))
        if turn is not None:
            parts = torch.cat((rotate(parts[:, :2], turn), parts[:, 2:]), dim=1)
        return linear(self.outward, self.mixing(parts, runs))


class Mixing(nn.Module):
    """What attention does once queries, keys and values are there; a module, so that these can be watched."""

    def forward(
        self, parts: Float[Tensor, "positions 3 heads depth"], runs: Runs
    ) -> Float[Tensor, "positions mixed"]:
        """Values mixed within each history, by how queries agree with keys."""
        # One split and no slices: the gradient of a slice is as large as what it was cut from.
        pieces = parts.split([rows * length for _, rows, length in runs])
        return torch.cat([*map(_attend, pieces, [length for _, _, length in runs])])


def _attend(mixed: Tensor, length: int) -> Tensor:
    query, key, value = mixed.unflatten(0, (-1, length)).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    return mixed.transpose(1, 2).flatten(2).flatten(0, 1)


def rotate(
    values: Float[Tensor, "positions parts heads depth"], angles: Float[Tensor, "positions half"]
) -> Float[Tensor, "positions parts heads depth"]:
    """Rotary positions (Su et al. 2021): turn the two halves of each head by the angles of its place."""
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    left, right = values.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, left * sin + right * cos), dim=-1)


class Block(nn.Module):
    """Attention, then a feed-forward net, each on the normalised input and added to it."""

    def __init__(
        self, width: int, heads: int, inner: int, dropout: float, depth: int | None = None
    ) -> None:
        """`inner` is the width of the feed-forward net, `depth` that of a head (see `Attention`)."""
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, depth)
        self.feed_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, inner)
        self.narrow = nn.Linear(inner, width)
        self.drop = ByteDropout(dropout)

    def forward(
        self, values: Float[Tensor, "positions width"], runs: Runs, turn: Tensor | None = None
    ) -> Float[Tensor, "positions width"]:
        """One block."""
        values = values + self.drop(self.attention(self.attention_norm(values), runs, turn))
        inner = self.drop(F.gelu(linear(self.widen, self.feed_norm(values))))
        return values + self.drop(linear(self.narrow, inner))
