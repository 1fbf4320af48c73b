"""A student as one function of vectors: those of a history's latest items -> its state.

Legend: `rows` (requests), `places` (columns of histories, padded on the right), `width`.
"""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from recdistill.models.decoder import DecoderNetwork
from recdistill.models.sasrec import SASRecNetwork
from recdistill.models.transformer import Block, rotate


class Nobody(nn.Module):
    """A one for everybody: the state of a model that does not look at histories."""

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """`lengths [rows]` -> `[rows, 1]`."""
        return torch.ones_like(lengths, dtype=vectors.dtype)[:, None]


class SASRecLast(nn.Module):
    """SASRec's state after the last item; the last block computes nothing else."""

    start: Tensor

    def __init__(self, network: SASRecNetwork) -> None:
        super().__init__()
        self.scale = network.scale
        self.inward, self.positions = network.inward, network.positions
        self.norm, self.outward = network.norm, network.outward
        self.blocks = nn.ModuleList(network.blocks)
        self.register_buffer("start", network.start)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """`vectors [rows, places, width]`, no more places than the window, `lengths [rows]` -> `[rows, width]`."""
        rows, places, _ = vectors.shape
        place = torch.arange(places, device=vectors.device).repeat(rows)
        values = self.inward(vectors.flatten(0, 1) * self.scale)
        values, turn = self.positions(values, place)
        values = values.unflatten(0, (rows, places))
        *earlier, final = cast("list[Block]", list(self.blocks))
        for block in earlier:
            values = _every_place(block, values, turn)
        last = self.outward(self.norm(_last_place(final, values, turn, lengths)))
        return torch.where((lengths > 0)[:, None], last, self.start)


class DecoderLast(nn.Module):
    """A language model's layers after the last item.

    Everything after a row's last item is padding, at which causal layers do not look.
    """

    start: Tensor

    def __init__(self, network: DecoderNetwork) -> None:
        super().__init__()
        self.scale = network.scale
        self.inward, self.layers = network.inward, network.layers
        self.outward, self.norm = network.outward, network.norm
        self.register_buffer("start", network.start)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """`vectors [rows, places, width]`, `lengths [rows]` -> `[rows, width]`."""
        values = self.inward(vectors * self.scale)
        values = self.layers(inputs_embeds=values).last_hidden_state
        row = torch.arange(lengths.shape[0], device=lengths.device)
        last = self.norm(self.outward(values[row, (lengths - 1).clamp(min=0)]))
        return torch.where((lengths > 0)[:, None], last, self.start)


def _every_place(block: Block, values: Tensor, turn: Tensor | None) -> Tensor:
    query, key, value = _projected(block, values, turn)
    mixed = scaled_dot_product_attention(query, key, value, is_causal=True)
    return _finished(block, values, mixed)


def _last_place(
    block: Block, values: Tensor, turn: Tensor | None, lengths: Tensor
) -> Float[Tensor, "rows width"]:
    query, key, value = _projected(block, values, turn)
    last = (lengths - 1).clamp(min=0)
    row = torch.arange(last.shape[0], device=last.device)
    # A row without items looks at its padding: its state is replaced, but must not be NaN.
    visible = torch.arange(values.shape[1], device=last.device) <= last[:, None]
    query = query.transpose(1, 2)[row, last][:, :, None]
    mixed = scaled_dot_product_attention(query, key, value, visible[:, None, None])
    return _finished(block, values[row, last][:, None], mixed)[:, 0]


def _projected(block: Block, values: Tensor, turn: Tensor | None) -> tuple[Tensor, ...]:
    """Queries, keys and values, `[rows, heads, places, depth]` each."""
    mixed = block.attention.inward(block.attention_norm(values))
    mixed = mixed.unflatten(2, (3, block.attention.heads, -1))
    if turn is not None:
        flat = mixed.flatten(0, 1)
        turned = rotate(flat[:, :2], turn)
        mixed = torch.cat((turned, flat[:, 2:]), dim=1).view(mixed.shape)
    return mixed.permute(2, 0, 3, 1, 4).unbind(0)


def _finished(block: Block, values: Tensor, mixed: Tensor) -> Tensor:
    """The rest of a block, after attention; dropout is for training."""
    values = values + block.attention.outward(mixed.transpose(1, 2).flatten(2))
    return values + block.narrow(gelu(block.widen(block.feed_norm(values))))
