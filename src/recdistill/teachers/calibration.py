"""How sure each member may be, and how much each counts: found on validation cases,
deterministically."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from recdistill.data.sequences import Sequences
from recdistill.teachers.combining import Combiner, Mean
from recdistill.teachers.minimum import lowest
from recdistill.teachers.questions import Questions

_LOG_RANGE = (np.log(1e-2), np.log(1e3))
_STEPS = 24
"""Golden sections, from the whole range of temperatures to a hundredth of a per cent of one."""
_ROUNDS = 5
_DEPTH = 10
_MEAN = Mean()

Shares = Float64[np.ndarray, " members"] | Float64[np.ndarray, "cases members"]
"""The weights of members, for all cases or for each."""


@torch.no_grad()
def temperature(questions: Questions) -> float:
    """The temperature at which one member finds the answers likeliest.

    Minimises the negative log-likelihood of softmax(z / T) (Guo et al. 2017, "On calibration of
    modern neural networks", section 4.2), which has one minimum, by golden sections of log T.
    Without questions, 1.
    """
    if not len(questions):
        return 1.0
    return float(np.exp(lowest(lambda heat: _surprise(questions, heat), *_LOG_RANGE, _STEPS)))


def _surprise(questions: Questions, log_temperature: float) -> float:
    """The negative log-likelihood of the answers, summed."""
    total = 0.0
    for rows, (scores,) in questions.blocks():
        scaled = scores / float(np.exp(log_temperature))
        answers = scaled.gather(1, questions.answers[rows, None])[:, 0]
        total += float((scaled.logsumexp(1) - answers).double().sum())
    return total


@torch.no_grad()
def weights(
    questions: Questions, temperatures: Sequence[float], combine: Combiner = _MEAN
) -> list[float]:
    """Weights, summing to 1, of the calibrated scores `z_m / T_m` that give the best NDCG@10.

    Starts from equal weights; moves one member's share to each of 0, 0.1 … 1 of the whole (the
    others keeping their proportions), takes the best, and goes round the members until a whole
    round improves nothing. Of equals, the earlier stays.
    """
    count = len(temperatures)
    chosen = np.full(count, 1 / count)
    if count == 1 or not len(questions):
        return chosen.tolist()
    best = float(ndcg(questions, chosen[None], temperatures, combine)[0])
    for _ in range(_ROUNDS):
        before = best
        for member in range(count):
            trials = _line(chosen, member)
            found = ndcg(questions, trials, temperatures, combine)
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
    combine: Combiner = _MEAN,
) -> Float64[np.ndarray, " trials"]:
    """The NDCG@10 of the answers under each trial's combination of calibrated scores."""
    gains = np.zeros(len(trials))
    for _, trial, found in ranks(questions, trials, temperatures, combine):
        gains[trial] += float(discounts(found[found <= _DEPTH]).sum())
    return gains / len(questions)


def ranks(
    questions: Questions,
    trials: Iterable[Shares],
    temperatures: Sequence[float],
    combine: Combiner,
) -> Iterator[tuple[slice, int, Int64[Tensor, " rows"]]]:
    """The ranks of the answers, block by block and in each block trial by trial: cases, trial, ranks.

    A trial is a weight for each member, or one for each case and member.
    """
    for rows, members in questions.blocks():
        calibrated = [z.div_(T) for z, T in zip(members, temperatures, strict=True)]
        hidden = _mask(questions.hidden.take(rows), calibrated[0].shape[1])
        answers = questions.answers[rows, None]
        summands = combine.summands(torch.stack(calibrated))
        for trial, shares in enumerate(trials):
            mixed = _mixed(summands, shares if shares.ndim == 1 else shares[rows])
            yield rows, trial, _ranks(mixed.masked_fill_(hidden, -torch.inf), answers)


def sole_ranks(questions: Questions) -> Float64[np.ndarray, " cases"]:
    """The rank of each answer, for questions to one member."""
    found = np.empty(len(questions))
    for rows, _, some in ranks(questions, [np.ones(1)], [1.0], _MEAN):
        found[rows] = some.numpy()
    return found


def discounts(ranks: Int64[Tensor, " cases"]) -> Float64[Tensor, " cases"]:
    """The NDCG@10 of cases with one answer each."""
    return torch.where(ranks <= _DEPTH, 1 / torch.log2(1 + ranks.double()), 0.0)


def _mixed(
    summands: Float32[Tensor, "members rows items"], shares: Shares
) -> Float32[Tensor, "rows items"]:
    """The weighted sums, all rows by the same weights or each by its own."""
    mixed = torch.zeros_like(summands[0])
    for member, values in enumerate(summands):
        if shares.ndim == 1:
            mixed.add_(values, alpha=float(shares[member]))
        else:
            mixed.addcmul_(values, torch.from_numpy(shares[:, member, None]).float())
    return mixed


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
