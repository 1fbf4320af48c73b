"""How sure each member may be, and how much each counts: found on validation cases,
deterministically."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor

from recdistill.data.cases import sample
from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.models.recommender import Recommender
from recdistill.models.validation import takes_repeat
from recdistill.teachers.speech import BLOCK_BYTES, score_blocks

_CASES = 4096
_LOG_RANGE = (np.log(1e-2), np.log(1e3))
_GOLDEN = (5**0.5 - 1) / 2
_STEPS = 24
"""Golden sections, from the whole range of temperatures to a hundredth of a per cent of one."""
_ROUNDS = 5
_DEPTH = 10


@dataclass(frozen=True)
class Questions:
    """Validation cases with one answer each, and what some recommenders know of them.

    Attributes:
        members: the recommenders.
        states: of each member, after each history.
        answers: the item that came next.
        hidden: items that do not compete, row by row.
        block_bytes: how many bytes of scores may exist at a time.
    """

    members: Sequence[Recommender]
    states: Sequence[Float[Tensor, "cases _"]]
    answers: Int64[Tensor, " cases"]
    hidden: Sequences
    block_bytes: int = BLOCK_BYTES

    @classmethod
    @torch.no_grad()
    def ask(
        cls, members: Sequence[Recommender], dataset: Dataset, at_most: int = _CASES
    ) -> Questions:
        """Ask `members` about the validation cases; of very many, about a fixed sample.

        As in validation, each member sees its trimmed histories, and items of a history do not
        compete, unless users of this dataset take items repeatedly.
        """
        cases = dataset.valid.take(sample(dataset.valid, at_most))
        answers = cases.targets.values[cases.targets.starts].astype(np.int64)
        states = [member.states(member.trimmed(cases.histories)) for member in members]
        repeat = takes_repeat(dataset.train.histories)
        hidden = cases.histories.tail(0) if repeat else cases.histories
        return cls(members, states, torch.from_numpy(answers), hidden)

    def __len__(self) -> int:
        return len(self.answers)

    def of(self, member: int) -> Questions:
        """The same questions to one member alone."""
        return replace(self, members=[self.members[member]], states=[self.states[member]])

    def blocks(self) -> Iterator[tuple[slice, list[Float32[Tensor, "rows items"]]]]:
        """The scores of all members, a block of cases at a time; the taker may overwrite them."""
        share = self.block_bytes // len(self.members)
        streams = [
            score_blocks(member, states, share)
            for member, states in zip(self.members, self.states, strict=True)
        ]
        start = 0
        for scores in zip(*streams, strict=True):
            yield slice(start, start + len(scores[0])), [part.cpu() for part in scores]
            start += len(scores[0])


@torch.no_grad()
def temperature(questions: Questions) -> float:
    """The temperature at which one member finds the answers likeliest.

    Minimises the negative log-likelihood of softmax(z / T) (Guo et al. 2017, "On calibration of
    modern neural networks", section 4.2), which has one minimum, by golden sections of log T.
    Without questions, 1.
    """
    if not len(questions):
        return 1.0
    low, high = _LOG_RANGE
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = _surprise(questions, left), _surprise(questions, right)
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = _surprise(questions, left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = _surprise(questions, right)
    return float(np.exp((low + high) / 2))


def _surprise(questions: Questions, log_temperature: float) -> float:
    """The negative log-likelihood of the answers, summed."""
    total = 0.0
    for rows, (scores,) in questions.blocks():
        scaled = scores / float(np.exp(log_temperature))
        answers = scaled.gather(1, questions.answers[rows, None])[:, 0]
        total += float((scaled.logsumexp(1) - answers).double().sum())
    return total


@torch.no_grad()
def weights(questions: Questions, temperatures: Sequence[float]) -> list[float]:
    """Weights, summing to 1, of the calibrated scores `z_m / T_m` that give the best NDCG@10.

    Starts from equal weights; moves one member's share to each of 0, 0.1 … 1 of the whole (the
    others keeping their proportions), takes the best, and goes round the members until a whole
    round improves nothing. Of equals, the earlier stays.
    """
    count = len(temperatures)
    chosen = np.full(count, 1 / count)
    if count == 1 or not len(questions):
        return chosen.tolist()
    best = float(ndcg(questions, chosen[None], temperatures)[0])
    for _ in range(_ROUNDS):
        before = best
        for member in range(count):
            trials = _line(chosen, member)
            found = ndcg(questions, trials, temperatures)
            if found.max() > best:
                best, chosen = float(found.max()), trials[int(found.argmax())]
        if best <= before:
            break
    return [round(float(weight), 6) for weight in chosen]


def _line(
    chosen: Float64[np.ndarray, " members"], member: int
) -> Float64[np.ndarray, "trials members"]:
    """Weights in which a member's share is 0, 0.1 … 1 and the others keep their proportions."""
    others = chosen.copy()
    others[member] = 0
    if not others.any():
        others += 1.0
        others[member] = 0
    share = np.linspace(0, 1, 11)[:, None]
    return (1 - share) * others / others.sum() + share * np.eye(len(chosen))[member]


def ndcg(
    questions: Questions,
    trials: Float64[np.ndarray, "trials members"],
    temperatures: Sequence[float],
) -> Float64[np.ndarray, " trials"]:
    """The NDCG@10 of the answers under each trial's mixture of calibrated scores."""
    gains = np.zeros(len(trials))
    for rows, members in questions.blocks():
        calibrated = [z.div_(T) for z, T in zip(members, temperatures, strict=True)]
        hidden = _mask(questions.hidden.take(rows), calibrated[0].shape[1])
        answers = questions.answers[rows, None]
        for trial, shares in enumerate(trials):
            mixed = torch.zeros_like(calibrated[0])
            for scores, share in zip(calibrated, shares, strict=True):
                mixed.add_(scores, alpha=float(share))
            ranks = _ranks(mixed.masked_fill_(hidden, -torch.inf), answers)
            gains[trial] += float((1 / torch.log2(1 + ranks[ranks <= _DEPTH].double())).sum())
    return gains / len(questions)


def _ranks(
    scores: Float32[Tensor, "rows items"], answers: Int64[Tensor, "rows 1"]
) -> Int64[Tensor, " rows"]:
    """1 + the number of items that beat the answer: better ones, and equal ones of a smaller id."""
    own = scores.gather(1, answers)
    earlier = torch.arange(scores.shape[1]) < answers
    return 1 + ((scores > own) | ((scores == own) & earlier)).sum(1)


def _mask(rows: Sequences, items: int) -> Bool[Tensor, "rows items"]:
    mask = torch.zeros(len(rows), items, dtype=torch.bool)
    places = np.repeat(np.arange(len(rows)), rows.lengths) * items + rows.values[rows.places()]
    return mask.view(-1).index_fill_(0, torch.from_numpy(places), True).view(mask.shape)
