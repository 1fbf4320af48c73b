"""A student as one function of dense ids: history -> state -> scores of every item that may be given.

Legend: `rows` (requests), `places` (columns of right-padded histories), `items`, `width`.
"""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.functional import embedding, gelu, linear, scaled_dot_product_attention

from recdistill.models.decoder import DecoderNetwork
from recdistill.models.sasrec import SASRecNetwork
from recdistill.models.transformer import Block, rotate


class Scorer(nn.Module):
    """Scores of the whole catalogue, `-inf` for what must not be given."""

    table: Tensor

    def __init__(self, encoder: nn.Module, table: Float[Tensor, "items width"]) -> None:
        """`encoder(table, history, lengths)` gives a state a row."""
        super().__init__()
        self.encoder = encoder
        self.register_buffer("table", table)

    def forward(
        self, history: Tensor, lengths: Tensor, filter_seen: Tensor, candidates: Tensor
    ) -> Tensor:
        """`history [rows, places]`, `lengths [rows]`, a flag, `candidates [any]` (none = all) -> `[rows, items]`."""
        # linear() multiplies by the table as it lies; a transposed copy of it would double the file.
        scores = linear(self.encoder(self.table, history, lengths), self.table)
        barred = seen(history, lengths, scores) & filter_seen
        chosen = torch.zeros_like(scores[0], dtype=torch.bool).scatter(
            0, candidates, torch.ones_like(candidates, dtype=torch.bool)
        )
        unrestricted = torch.tensor(candidates.shape[0]) == 0
        return scores.masked_fill(barred | ~(chosen | unrestricted), -torch.inf)


def seen(
    history: Int64[Tensor, "rows places"], lengths: Int64[Tensor, " rows"], scores: Tensor
) -> Bool[Tensor, "rows items"]:
    """Which items each row's history holds."""
    # A scatter must not meet padding: it marks the row's first item once more instead.
    place = torch.arange(history.shape[1], device=history.device)
    marks = torch.where(place < lengths[:, None], history, history[:, :1])
    blank = torch.zeros_like(scores, dtype=torch.bool)
    found = blank.scatter(1, marks, torch.ones_like(marks, dtype=torch.bool))
    return found & (lengths > 0)[:, None]


def tail(
    history: Int64[Tensor, "rows places"], lengths: Int64[Tensor, " rows"], window: int
) -> tuple[Int64[Tensor, "rows window"], Int64[Tensor, " rows"]]:
    """The last `window` items of each row, and how many they are."""
    # A slice would fix which of the two is smaller while the graph is traced.
    place = torch.arange(torch.sym_min(history.shape[1], window), device=history.device)
    first = (lengths - window).clamp(min=0)
    # Past a row's end the gather repeats its last item: padding still, which nothing looks at.
    source = torch.minimum(first[:, None] + place, (lengths - 1).clamp(min=0)[:, None])
    return history.gather(1, source), lengths.clamp(max=window)


class Nobody(nn.Module):
    """A one for everybody: the state of a model that does not look at histories."""

    def forward(self, table: Tensor, history: Tensor, lengths: Tensor) -> Tensor:
        """`lengths [rows]` -> `[rows, 1]`."""
        return torch.ones_like(lengths, dtype=table.dtype)[:, None]


class SASRecLast(nn.Module):
    """SASRec's state after the last item; the last block computes nothing else."""

    start: Tensor

    def __init__(self, network: SASRecNetwork, window: int) -> None:
        super().__init__()
        self.window, self.scale = window, network.scale
        self.inward, self.positions = network.inward, network.positions
        self.norm, self.outward = network.norm, network.outward
        self.blocks = nn.ModuleList(network.blocks)
        self.register_buffer("start", network.start)

    def forward(self, table: Tensor, history: Tensor, lengths: Tensor) -> Tensor:
        """`table [items, width]`, `history [rows, places]`, `lengths [rows]` -> `[rows, width]`."""
        history, lengths = tail(history, lengths, self.window)
        rows, places = history.shape
        place = torch.arange(places, device=history.device).repeat(rows)
        values = self.inward(embedding(history.flatten(), table) * self.scale)
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

    def __init__(self, network: DecoderNetwork, window: int) -> None:
        super().__init__()
        self.window, self.scale = window, network.scale
        self.inward, self.layers = network.inward, network.layers
        self.outward, self.norm = network.outward, network.norm
        self.register_buffer("start", network.start)

    def forward(self, table: Tensor, history: Tensor, lengths: Tensor) -> Tensor:
        """`table [items, width]`, `history [rows, places]`, `lengths [rows]` -> `[rows, width]`."""
        history, lengths = tail(history, lengths, self.window)
        values = self.inward(embedding(history, table) * self.scale)
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
