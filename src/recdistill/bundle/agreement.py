"""The export's proof: ONNX Runtime gives the top ten that PyTorch gives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from recdistill.bundle.manifest import AgreementEntry
from recdistill.bundle.runtime import Runtime, no_candidates
from recdistill.data.dataset import Dataset
from recdistill.data.sequences import Sequences
from recdistill.errors import BundleError
from recdistill.models.ranking import top_k
from recdistill.models.recommender import Recommender

TOLERANCE = 2e-5
"""Largest difference between two scores that are the same, in units of the list's largest score (at least 1):
float32 sums of some hundred terms, taken in another order."""
_K = 10


class Answers(NamedTuple):
    """Top lists of both sides, for the same histories."""

    torch_items: Int64[np.ndarray, "rows k"]
    torch_scores: Float64[np.ndarray, "rows k"]
    onnx_items: Int64[np.ndarray, "rows k"]
    onnx_scores: Float64[np.ndarray, "rows k"]


def require_agreement(
    student: Recommender, runtime: Runtime, histories: Sequences
) -> AgreementEntry:
    """Compare top tens, with seen items and without them.

    The lists must hold the same items in the same order with the same scores. Where two items are nearer to
    each other than float32 can tell (`TOLERANCE`), either may come first.

    Raises:
        BundleError: they do not agree; the message tells the first history on which they differ.
    """
    near_ties, largest = np.zeros(len(histories), dtype=bool), 0.0
    for filter_seen in (False, True):
        answers = _ask(student, runtime, histories, filter_seen)
        gaps = _gaps(answers)
        swapped = (answers.torch_items != answers.onnx_items).any(axis=1)
        wrong = ~(gaps <= TOLERANCE) | (swapped & ~_near_ties(student, histories, answers, swapped))
        if wrong.any():
            raise _disagreement(histories, answers, int(np.flatnonzero(wrong)[0]), filter_seen)
        near_ties |= swapped
        largest = max(largest, float(gaps.max()))
    return AgreementEntry(
        histories=len(histories),
        near_ties=int(near_ties.sum()),
        largest_difference=float(f"{largest:.1e}"),
    )


def _ask(
    student: Recommender, runtime: Runtime, histories: Sequences, filter_seen: bool
) -> Answers:
    k = min(_K, len(student.vocabulary))
    scores, items = top_k(student, histories, k, seen=histories if filter_seen else None)
    found, values = runtime.top(histories, k, filter_seen=filter_seen, candidates=no_candidates())
    return Answers(items.numpy(), scores.double().numpy(), found, values.astype(np.float64))


def _gaps(answers: Answers) -> Float64[np.ndarray, " rows"]:
    """Each row's largest difference of scores, in units of its largest score; NaN where one is not a number."""
    ours, theirs = answers.torch_scores, answers.onnx_scores
    with np.errstate(invalid="ignore"):
        differences = np.where(ours == theirs, 0.0, np.abs(ours - theirs))
    return differences.max(axis=1, initial=0.0) / _unit(ours)


def _unit(scores: Float64[np.ndarray, "rows k"]) -> Float64[np.ndarray, " rows"]:
    finite = np.where(np.isfinite(scores), np.abs(scores), 0.0)
    return np.maximum(finite.max(axis=1, initial=0.0), 1.0)


def _near_ties(
    student: Recommender,
    histories: Sequences,
    answers: Answers,
    swapped: Bool[np.ndarray, " rows"],
) -> Bool[np.ndarray, " rows"]:
    """Whether PyTorch scores what ONNX Runtime put at each place as it scores what itself put there."""
    near = np.zeros(len(swapped), dtype=bool)
    units = _unit(answers.torch_scores)
    for row in np.flatnonzero(swapped):
        items = answers.onnx_items[row]
        if (items < 0).any() or len(set(items.tolist())) < len(items):
            continue
        state = student.states(histories.take(np.array([row])))
        with torch.no_grad():
            own = student.score(state, torch.from_numpy(items).to(state.device))[0]
        gap = np.abs(own.double().cpu().numpy() - answers.torch_scores[row]).max()
        near[row] = gap <= TOLERANCE * units[row]
    return near


def _disagreement(
    histories: Sequences, answers: Answers, row: int, filter_seen: bool
) -> BundleError:
    def shown(items: np.ndarray, scores: np.ndarray) -> str:
        return ", ".join(f"{item}: {score:.6g}" for item, score in zip(items, scores, strict=True))

    return BundleError(
        f"PyTorch and ONNX Runtime disagree on history {histories[row].tolist()[-20:]} "
        f"(dense ids, filter_seen={filter_seen}).\n"
        f"  PyTorch:      {shown(answers.torch_items[row], answers.torch_scores[row])}\n"
        f"  ONNX Runtime: {shown(answers.onnx_items[row], answers.onnx_scores[row])}",
        "Nothing was written. If the student's weights are finite, this is a bug: please report it.",
    )


def probes(dataset: Dataset, checks: int) -> Sequences:
    """At least `checks` histories: what users did, and what they hopefully never will.

    Half are validation and training histories, the rest are random: empty, of one item, of one item again
    and again, longer than any window.
    """
    random = np.random.default_rng(0)
    real = [
        *_some(dataset.valid.histories, checks // 4),
        *_some(dataset.train.histories, checks // 4),
    ]
    items = dataset.num_items
    made: list[list[int]] = [[]]
    while len(real) + len(made) < checks:
        longest = int(random.choice([1, 4, 60, 400]))
        length = int(random.integers(longest // 2, longest, endpoint=True))
        variety = items if random.random() < 0.9 else 1
        made.append(
            ((random.integers(items) + random.integers(variety, size=length)) % items).tolist()
        )
    return Sequences.from_lists([*real, *made])


def _some(histories: Sequences, at_most: int) -> list[list[int]]:
    """Rows spread evenly over all there are."""
    chosen = np.unique(np.linspace(0, len(histories) - 1, at_most).astype(np.int64))
    return [histories[int(row)].tolist() for row in chosen] if len(histories) else []
