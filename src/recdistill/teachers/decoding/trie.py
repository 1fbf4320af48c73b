"""A catalogue's titles as one tree of tokens: titles that begin alike share their beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int64

from recdistill.data.sequences import Sequences

ROOT = 0
NOWHERE = -1
"""The node of an item without a title."""


@dataclass(frozen=True)
class Part:
    """The part of a tree under which some items hang, one path an item.

    Attributes:
        tokens: of each inner node, what leads to it; the first is the root, whose token is whatever comes before.
        parents: of each inner node, its parent among the inner nodes, which comes earlier; -1 for the root.
        sources: for each item and each token of its title, the inner node after which the token comes; -1 where the
            title has ended.
        targets: the tokens themselves; 0 where the title has ended.
    """

    tokens: Int64[np.ndarray, " inner"]
    parents: Int64[np.ndarray, " inner"]
    sources: Int64[np.ndarray, "items depth"]
    targets: Int64[np.ndarray, "items depth"]


@dataclass(frozen=True)
class Trie:
    """Nodes in the order of their depth, so that the children of a node lie side by side.

    Attributes:
        tokens: of each node, what leads to it; -1 for the root.
        parents: of each node; -1 for the root.
        first: of each node, its first child.
        degrees: of each node, how many children it has.
        paths: of each item, the nodes from below the root to where its title ends, then 0. Two items with one title
            end at one node; an item without tokens has none.
        items: of each node, the items whose titles end there, as rows.
    """

    tokens: Int64[np.ndarray, " nodes"]
    parents: Int64[np.ndarray, " nodes"]
    first: Int64[np.ndarray, " nodes"]
    degrees: Int64[np.ndarray, " nodes"]
    paths: Int64[np.ndarray, "items depth"]
    items: Sequences

    @classmethod
    def of(cls, titles: Sequence[Sequence[int]]) -> Trie:
        """The tree of these token sequences, one an item; an empty one is no title.

        Level by level: a node is a different pair of parent and token.
        """
        rows = _padded(titles)
        tokens, parents = [np.array([-1])], [np.array([-1])]
        paths, at, count = np.zeros_like(rows), np.zeros(len(rows), dtype=np.int64), 1
        for depth in range(rows.shape[1]):
            going = np.flatnonzero(rows[:, depth] >= 0)
            pairs = np.stack([at[going], rows[going, depth]], axis=1)
            found, which = np.unique(pairs, axis=0, return_inverse=True)
            at[going] = paths[going, depth] = count + which.reshape(-1)
            parents.append(found[:, 0])
            tokens.append(found[:, 1])
            count += len(found)
        return cls._linked(np.concatenate(tokens), np.concatenate(parents), paths)

    @classmethod
    def _linked(
        cls,
        tokens: Int64[np.ndarray, " nodes"],
        parents: Int64[np.ndarray, " nodes"],
        paths: Int64[np.ndarray, "items depth"],
    ) -> Trie:
        nodes = np.arange(len(tokens))
        degrees = np.bincount(parents[1:], minlength=len(tokens)).astype(np.int64)
        # Parents never decrease from one node to the next: their first mention is their first child.
        first = 1 + np.searchsorted(parents[1:], nodes, side="left").astype(np.int64)
        return cls(tokens, parents, first, degrees, paths, _ending(paths, len(tokens)))

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def depth(self) -> int:
        """Tokens of the longest title."""
        return self.paths.shape[1]

    @property
    def untitled(self) -> Int64[np.ndarray, " items_without"]:
        """The items that have no title, so that nobody can name them."""
        return np.flatnonzero(self.leaves == NOWHERE)

    @cached_property
    def leaves(self) -> Int64[np.ndarray, " items"]:
        """Where each item's title ends; -1 for an item without a title."""
        return _leaves(self.paths)

    @cached_property
    def named(self) -> Int64[np.ndarray, " nodes"]:
        """How many items' titles end at each node."""
        return self.items.lengths

    def children(self, node: int) -> slice:
        """The nodes below a node."""
        return slice(int(self.first[node]), int(self.first[node] + self.degrees[node]))

    def part(self, items: Int64[np.ndarray, " chosen"]) -> Part:
        """The part of the tree that holds some items, in the order given."""
        paths = self.paths[items]
        parents = np.where(paths > 0, self.parents[paths], -1)
        inner = np.unique(parents[parents >= 0])
        if not len(inner):
            inner = np.array([ROOT])
        sources = np.where(parents >= 0, np.searchsorted(inner, parents), -1)
        above = np.searchsorted(inner, self.parents[inner])
        above[0] = -1
        return Part(self.tokens[inner], above, sources, np.where(paths > 0, self.tokens[paths], 0))


def _padded(titles: Sequence[Sequence[int]]) -> Int64[np.ndarray, "items depth"]:
    depth = max(map(len, titles), default=0)
    rows = np.full((len(titles), depth), -1, dtype=np.int64)
    for row, title in enumerate(titles):
        rows[row, : len(title)] = title
    return rows


def _leaves(paths: Int64[np.ndarray, "items depth"]) -> Int64[np.ndarray, " items"]:
    # A node has a larger number than its parent, so the last of a path is its largest.
    return np.where(paths.any(1), paths.max(1, initial=0), NOWHERE)


def _ending(paths: Int64[np.ndarray, "items depth"], nodes: int) -> Sequences:
    leaves = _leaves(paths)
    order = np.argsort(leaves, kind="stable")[np.count_nonzero(leaves == NOWHERE) :]
    bounds = np.searchsorted(leaves[order], np.arange(nodes + 1), side="left").astype(np.int64)
    return Sequences.from_offsets(order.astype(np.int32), bounds)
