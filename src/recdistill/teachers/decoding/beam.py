"""The likeliest titles of a catalogue after a prompt, found by beams that never leave it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from recdistill.teachers.decoding.branches import Branches
from recdistill.teachers.decoding.trie import ROOT, Trie


class Beam(NamedTuple):
    """The beginning of a title, or a whole one."""

    log_p: float
    node: int
    column: int
    """Of the tree that grows from the prompt; where it stands, or where its parent does."""


@dataclass
class Row:
    """What a prompt's search holds."""

    live: list[Beam] = field(default_factory=lambda: [Beam(0.0, ROOT, -1)])
    ended: list[Beam] = field(default_factory=list[Beam])

    def open(self, count: int) -> bool:
        """Whether a better title may still be found: what goes on only becomes less likely."""
        if len(self.ended) < count or not self.live:
            return bool(self.live)
        return self.live[0].log_p > self.ended[count - 1].log_p


@dataclass(frozen=True)
class Lists:
    """Ranked lists.

    Attributes:
        items: the likeliest first, ties by smaller id; -1 where a list has ended.
        log_p: log p(title | prompt), the model's own: nothing is shared out again among what the catalogue allows.
            -inf where a list has ended.
    """

    items: Int64[np.ndarray, "prompts count"]
    log_p: Float32[np.ndarray, "prompts count"]


def ranked(branches: Branches, prompts: int, trie: Trie, *, width: int, count: int) -> Lists:
    """Beam search over the tree of titles.

    A beam is extended by the children of its node and by nothing else. A title that has ended is kept beside the
    beams, and a prompt is done once no beam is likelier than the last of `count` titles. With `width` no smaller
    than any level of the tree, nothing is pruned and the lists are exact.

    Args:
        branches: of the prompts, nothing grown yet.
        prompts: how many there are.
        trie: of the catalogue's titles.
        width: beams that are followed.
        count: items of a list; items of one title are listed together, so that the last may be left out.
    """
    rows, grown = [Row() for _ in range(prompts)], 0
    for _ in range(trie.depth):
        if not any(row.open(count) for row in rows):
            break
        for row in rows:
            row.live = row.live if row.open(count) else []
        logits = branches.grow(*_fed(rows, trie))
        log_p = logits.float().log_softmax(2)
        for row, said in zip(rows, log_p, strict=True):
            live = [beam._replace(column=grown + place) for place, beam in enumerate(row.live)]
            if live:
                _advance(row, live, _children(live, said, trie), trie, width, count)
        grown += logits.shape[1]
    return _lists(rows, trie, count)


def _fed(
    rows: list[Row], trie: Trie
) -> tuple[Int64[np.ndarray, "prompts beams"], Int64[np.ndarray, "prompts beams"]]:
    shape = (len(rows), max(len(row.live) for row in rows))
    tokens, parents = np.zeros(shape, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
    for number, row in enumerate(rows):
        for place, beam in enumerate(row.live):
            tokens[number, place] = max(trie.tokens[beam.node], 0)
            parents[number, place] = beam.column
    return tokens, parents


@dataclass(frozen=True)
class _Next:
    """The ways on from all beams of a prompt."""

    nodes: Int64[np.ndarray, " ways"]
    beams: Int64[np.ndarray, " ways"]
    log_p: Float32[np.ndarray, " ways"]


def _children(live: list[Beam], log_p: Float[Tensor, "_ vocabulary"], trie: Trie) -> _Next:
    """The children of some beams' nodes, at least one of each."""
    nodes = [np.arange(*trie.children(beam.node).indices(len(trie))) for beam in live]
    beams = np.repeat(np.arange(len(live)), [len(found) for found in nodes])
    joined = np.concatenate(nodes)
    tokens = torch.from_numpy(trie.tokens[joined]).to(log_p.device)
    steps = log_p[torch.from_numpy(beams).to(log_p.device), tokens].cpu().numpy()
    before = np.array([beam.log_p for beam in live], dtype=np.float32)
    return _Next(joined, beams, before[beams] + steps)


def _advance(row: Row, live: list[Beam], ways: _Next, trie: Trie, width: int, count: int) -> None:
    # The likelier first; of equals the smaller node, which is the same however prompts are batched.
    order = np.lexsort((ways.nodes, -ways.log_p))
    inner = order[trie.degrees[ways.nodes[order]] > 0][:width]
    whole = order[trie.named[ways.nodes[order]] > 0]
    row.live = [_beam(ways, way, live) for way in inner.tolist()]
    row.ended += [_beam(ways, way, live) for way in whole[:count].tolist()]
    row.ended = sorted(row.ended, key=lambda beam: (-beam.log_p, beam.node))[:count]


def _beam(ways: _Next, way: int, live: list[Beam]) -> Beam:
    return Beam(float(ways.log_p[way]), int(ways.nodes[way]), live[ways.beams[way]].column)


def _lists(rows: list[Row], trie: Trie, count: int) -> Lists:
    items = np.full((len(rows), count), -1, dtype=np.int64)
    log_p = np.full((len(rows), count), -np.inf, dtype=np.float32)
    for number, row in enumerate(rows):
        named = [(beam.log_p, int(item)) for beam in row.ended for item in trie.items[beam.node]]
        for place, (likely, item) in enumerate(named[:count]):
            items[number, place], log_p[number, place] = item, likely
    return Lists(items, log_p)
