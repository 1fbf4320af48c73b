"""From members, temperatures and weights to the one recommender that an ensemble speaks through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from recdistill.data.dataset import Dataset
from recdistill.models.recommender import Recommender
from recdistill.teachers import calibration
from recdistill.teachers.combining import AnyCombiner, AnyPool, Gate, Mean, PerContext
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.near_random import near_random
from recdistill.teachers.opinions import Opinions, OpinionsConfig
from recdistill.teachers.questions import Questions
from recdistill.teachers.routing import Finding, popularity, route


@dataclass(frozen=True)
class United:
    """What became of the members.

    Attributes:
        recommender: all of them as one; those of weight 0 are left out.
        weights: of each member, summing to 1.
        notes: what else was found out.
        guessing: the members that were left out since they are near-random.
    """

    recommender: Recommender
    weights: list[float]
    notes: dict[str, Any] = field(default_factory=dict[str, Any])
    guessing: list[int] = field(default_factory=list[int])


def unite(
    questions: Questions,
    dataset: Dataset,
    temperatures: Sequence[float],
    given: Sequence[float] | None,
    combine: AnyCombiner,
) -> United:
    """Weigh the members, as `given` or as validation has it, and put them together.

    Where nobody gave weights, members that are near-random on validation get none, and no gate hears them.
    """
    guessing = near_random(questions) if given is None else []
    if given is None:
        heard = [member for member in range(len(temperatures)) if member not in guessing]
        heats = [temperatures[member] for member in heard]
        found = calibration.weights(questions.of(*heard), heats, combine)
        weights = _at(heard, found, len(temperatures))
    else:
        weights = [weight / sum(given) for weight in given]
        heard = [member for member, weight in enumerate(weights) if weight > 0]
    if isinstance(combine, Mean):
        mixture = _mixture(questions.members, temperatures, weights)
        return United(mixture, weights, guessing=guessing)
    gate, notes = None, {}
    if isinstance(combine, PerContext):
        among = heard
        gate, finding = _routed(questions, dataset, temperatures, weights, combine, among)
        weights = _at(among, gate.base.tolist(), len(weights)) if gate else weights
        notes = {"gate": finding.model_dump(mode="json"), "remarks": [finding.sentence]}
    opinions = _opinions(questions, dataset, temperatures, weights, combine, gate)
    return United(opinions, weights, notes, guessing)


def _mixture(
    members: Sequence[Recommender], temperatures: Sequence[float], weights: Sequence[float]
) -> Mixture:
    scales = [weight / heat for weight, heat in zip(weights, temperatures, strict=True)]
    return Mixture(
        [member for member, scale in zip(members, scales, strict=True) if scale > 0],
        [scale for scale in scales if scale > 0],
    )


def _routed(
    questions: Questions,
    dataset: Dataset,
    temperatures: Sequence[float],
    weights: Sequence[float],
    combine: PerContext,
    among: Sequence[int],
) -> tuple[Gate | None, Finding]:
    heats, shares = ([values[member] for member in among] for values in (temperatures, weights))
    return route(questions.of(*among), popularity(dataset), heats, shares, combine)


def _at(places: Sequence[int], values: Sequence[float], count: int) -> list[float]:
    """`count` numbers, `values` at `places` and 0 elsewhere."""
    found = [0.0] * count
    for place, value in zip(places, values, strict=True):
        found[place] = value
    return found


def _opinions(
    questions: Questions,
    dataset: Dataset,
    temperatures: Sequence[float],
    weights: Sequence[float],
    combine: AnyPool,
    gate: Gate | None,
) -> Opinions:
    heard = [member for member, weight in enumerate(weights) if weight > 0]
    counts = popularity(dataset) if gate else np.empty(0)
    return Opinions(
        [questions.members[member] for member in heard],
        OpinionsConfig(
            combine=combine, temperatures=tuple(temperatures[member] for member in heard)
        ),
        gate or Gate.constant([weights[member] for member in heard]),
        torch.from_numpy(counts),
    )
