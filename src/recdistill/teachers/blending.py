"""How much a judge's word counts beside the recommender whose candidates it orders."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from pydantic import NonNegativeFloat
from torch import Tensor

from recdistill.settings import Settings
from recdistill.teachers.minimum import lowest

_FLOOR = -60.0
"""No candidate is less likely than this (log), beside the likeliest: a loud judge is no reason for infinities."""
_STEPS = 32
_SPREAD = 3.0
"""What is expected beforehand of the judge's exponent: a standard deviation of its judgements is worth a few nats."""


class Blend(Settings):
    """Exponents of a product of two opinions."""

    base: NonNegativeFloat = 1.0
    """Of the base's probabilities; 0 forgets how it orders its candidates."""
    judge: NonNegativeFloat = 1.0
    """Of the judge's, exp(judgement): 1 / its temperature; 0 does not hear it."""


def redistributed(
    log_p: Float32[Tensor, "rows items"],
    candidates: Int64[Tensor, "rows c"],
    judged: Float32[Tensor, "rows c"],
    blend: Blend,
) -> Float32[Tensor, "rows items"]:
    """Log-probabilities in which the judge has divided the candidates' mass anew.

    p(i) = m · q(i) for the candidates that it judged, m the mass they had together, and
    q ∝ p^base · exp(judge · judgement) among them (a logarithmic pool: Genest & Zidek 1986); p(i) as it was for
    all others. Where it said nothing of a row, nothing of the row changes.
    """
    before = log_p.gather(1, candidates)
    inside, heard = before.double(), judged.isfinite()
    mass = inside.masked_fill(~heard, -torch.inf).logsumexp(1, keepdim=True)
    after = mass + _pooled(inside, judged.double(), heard, blend)
    return log_p.scatter(1, candidates, torch.where(heard, after.float(), before))


def _pooled(
    log_p: Float64[Tensor, "rows c"],
    judged: Float64[Tensor, "rows c"],
    heard: Bool[Tensor, "rows c"],
    blend: Blend,
) -> Float64[Tensor, "rows c"]:
    """log q; without meaning where nothing was heard."""
    exponents = blend.base * log_p + blend.judge * judged.masked_fill(~heard, 0.0)
    exponents = exponents.masked_fill(~heard, -torch.inf)
    relative = exponents - exponents.amax(1, keepdim=True)
    return relative.clamp_min(_FLOOR).masked_fill(~heard, -torch.inf).log_softmax(1)


def fitted(
    log_p: Float64[np.ndarray, "cases c"],
    judged: Float64[np.ndarray, "cases c"],
    answers: Int64[np.ndarray, " cases"],
) -> Blend:
    """The exponents that make the right answers likeliest among the candidates.

    Minimises −Σ log q(answer) + ½ (1 − base)² + ½ (judge · s / 3)², s the spread of judgements within a case, over
    0 ≤ base ≤ 1 and judge ≥ 0. It is convex, so the best `judge` for each `base` and the best of these are found by
    golden sections. The last terms are what is believed beforehand (the base as it is, and no word from the judge),
    which few cases cannot shake. Without cases, that is the answer.

    Args:
        log_p: the base's log-probabilities of the candidates.
        judged: the judgements; NaN for candidates of which nothing was said.
        answers: the column of each case's answer, which was judged.
    """
    if not len(answers):
        return Blend(base=1.0, judge=0.0)
    heard = np.isfinite(judged)
    spread = _spread(judged, heard)
    if spread == 0:
        return Blend(base=1.0, judge=0.0)
    own = np.where(heard, log_p, -np.inf)
    said = np.where(heard, judged, 0.0) / spread
    own, said = own - own.max(1, keepdims=True), said - said.max(1, keepdims=True)
    rows = np.arange(len(answers))

    def surprise(base: float, judge: float) -> float:
        exponents = np.where(heard, base * np.where(heard, own, 0.0) + judge * said, -np.inf)
        highest = exponents.max(1)
        normaliser = highest + np.log(np.exp(exponents - highest[:, None]).sum(1))
        doubts = 0.5 * (1 - base) ** 2 + 0.5 * (judge / _SPREAD) ** 2
        return float((normaliser - exponents[rows, answers]).sum() + doubts)

    def heeding(base: float) -> float:
        return lowest(lambda judge: surprise(base, judge), 0.0, 10 * _SPREAD, _STEPS)

    base = lowest(lambda base: surprise(base, heeding(base)), 0.0, 1.0, _STEPS)
    judge = heeding(base)
    return Blend(base=round(base, 4), judge=round(judge, 4) / spread if judge > 1e-3 else 0.0)


def _spread(judged: Float64[np.ndarray, "cases c"], heard: Bool[np.ndarray, "cases c"]) -> float:
    """The standard deviation of judgements around their case's mean, to three digits: a unit, not a finding."""
    counts = heard.sum(1, keepdims=True)
    values = np.where(heard, judged, 0.0)
    means = values.sum(1, keepdims=True) / np.maximum(counts, 1)
    squares = np.where(heard, values - means, 0.0) ** 2
    return float(f"{np.sqrt(squares.sum() / max(counts.sum(), 1)):.3g}")
