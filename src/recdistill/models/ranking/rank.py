"""One pass over the scores of every question, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int32, Int64
from torch import Tensor

from recdistill.data.sequences import Sequences
from recdistill.models.ranking.counting import Hidden, Tally, flat
from recdistill.models.ranking.leaders import Leaders
from recdistill.models.ranking.scores import Opened, scores_of
from recdistill.models.recommender import Recommender

_ENCODED = 4096
"""Rows whose states are made at once: many cost less each than few, and states are small."""


@dataclass(frozen=True)
class Questions:
    """What is asked of a model, row by row.

    Attributes:
        histories: what happened.
        targets: items whose ranks are wanted, none when `None`.
        seen: items that a row does not show, none when `None`.
        candidates: ascending dense ids, the only ones that lists show; without targets only.
    """

    histories: Sequences
    targets: Sequences | None = None
    seen: Sequences | None = None
    candidates: Int64[Tensor, " candidates"] | None = None


@dataclass(frozen=True)
class Ranked:
    """The answers; those about targets lie end to end, in the rows' order.

    Attributes:
        ranks: of the targets, 1 = best, without meaning where `hidden`.
        hidden: whether a target is among its row's seen items.
        scores: of the lists, best first; `-inf` behind a row's last item.
        items: of the lists, dense ids; -1 behind a row's last item.
    """

    ranks: Int32[np.ndarray, " targets"]
    hidden: Bool[np.ndarray, " targets"]
    scores: Float32[Tensor, "rows depth"]
    items: Int64[Tensor, "rows depth"]


@torch.no_grad()
def rank(
    model: Recommender,
    questions: Questions,
    *,
    depth: int,
    memory_mb: float,
    advance: Callable[[int], None] = lambda rows: None,
) -> Ranked:
    """Rank the whole catalogue for every row.

    Args:
        model: any recommender; one that is not factorised is asked for whole rows by its `score`.
        questions: the rows.
        depth: length of the lists; 0 keeps none and is faster.
        memory_mb: how much memory scores may take at once; never changes a result.
        advance: told how many more rows are done.

    Raises:
        RecDistillError: a score is not a number.
    """
    count, candidates = len(questions.histories), questions.candidates
    targets = questions.targets or questions.histories.tail(0)
    seen = questions.seen or questions.histories.tail(0)
    source = scores_of(model, memory_mb, depth, candidates)
    sizes = targets.lengths
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    ranks = np.empty(offsets[-1], dtype=np.int32)
    scores, items = torch.empty(count, depth), torch.empty(count, depth, dtype=torch.int64)
    # Many targets first, so that the n-th targets of a chunk always belong to its first rows.
    order = np.argsort(-sizes, kind="stable")
    for rows, states in _chunks(model, questions.histories, order, source.rows):
        hidden = Hidden.of(seen.take(rows), candidates).to(source.device)
        found = _answer(targets.take(rows), hidden, source.open(states), depth, source.device)
        ranks[Sequences(ranks, offsets[rows], offsets[rows + 1]).places()] = found[0]
        scores[rows], items[rows] = found[1].cpu(), found[2].cpu()
        advance(len(rows))
    if candidates is not None:
        items = torch.where(items >= 0, candidates.cpu()[items.clamp_min(0)], -1)
    return Ranked(ranks, _among(targets, seen), scores, items)


def _chunks(
    model: Recommender, histories: Sequences, order: Int64[np.ndarray, " rows"], at_once: int
) -> Iterator[tuple[Int64[np.ndarray, " chunk"], Float[Tensor, "chunk width"]]]:
    """Rows in `order`, as many `at_once` as scores fit the memory, with their states."""
    for first in range(0, len(order), _ENCODED):
        encoded = order[first : first + _ENCODED]
        states = model.states(histories.take(encoded))
        for start in range(0, len(encoded), at_once):
            yield encoded[start : start + at_once], states[start : start + at_once]


def _answer(
    targets: Sequences, hidden: Hidden, opened: Opened, depth: int, device: torch.device
) -> tuple[
    Int32[np.ndarray, " targets"], Float32[Tensor, "rows depth"], Int64[Tensor, "rows depth"]
]:
    """Ranks, and scores and items of the lists."""
    tallies = [Tally(each, opened.of(each)) for each in _rounds(targets, device)]
    leaders = Leaders(len(targets), depth, device)
    room = torch.empty(0, device=device)
    for start, scores in opened.blocks():
        hidden.erase(start, scores)
        if tallies and room.shape != scores.shape:
            room = torch.empty_like(scores)
        for tally in tallies:
            tally.count(start, scores, room)
        if depth:
            leaders.offer(start, scores)
    return _gather(tallies, targets), *leaders.lists()


def _rounds(targets: Sequences, device: torch.device) -> list[Int64[Tensor, " rows"]]:
    """The first target of every row, the second of every row that has one, and so on."""
    most = int(targets.lengths.max(initial=0))
    rounds = [
        targets.values[targets.starts[targets.lengths > place] + place] for place in range(most)
    ]
    return [torch.from_numpy(round_.astype(np.int64)).to(device) for round_ in rounds]


def _gather(tallies: list[Tally], targets: Sequences) -> Int32[np.ndarray, " targets"]:
    """The ranks row by row."""
    sizes = targets.lengths
    firsts = np.cumsum(sizes) - sizes
    ranks = np.empty(int(sizes.sum()), dtype=np.int32)
    for place, tally in enumerate(tallies):
        ranks[firsts[sizes > place] + place] = tally.ranks.cpu().numpy()
    return ranks


def _among(targets: Sequences, seen: Sequences) -> Bool[np.ndarray, " targets"]:
    """Which targets are in the same row of `seen`."""
    asked, known = (
        rows + items * max(len(targets), 1) for rows, items in map(flat, (targets, seen))
    )
    known = np.sort(known)
    return np.searchsorted(known, asked, "right") > np.searchsorted(known, asked, "left")
