"""One look at what a teacher said before anybody learns from it.

A temperature that suits one teacher silences another: its softmax is one-hot, or flat, or
underflows. This looks at a sample of the signals once and says which number to use instead. Signals
that cannot teach anything at all (not finite, all equal) are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from recdistill.data.dataset import Dataset
from recdistill.distill.lookup import Lookup, lookups
from recdistill.distill.objectives import Objective
from recdistill.distill.recipe import Recipe
from recdistill.errors import SignalError
from recdistill.signals import Signals

_ROWS = 1024


def advice(recipe: Recipe, dataset: Dataset, signals: Signals) -> list[str]:
    """What training by `recipe` says of the signals before it begins, for whoever was not there to hear it.

    Raises:
        SignalError: as `scrutinise`, or the signals speak about nothing of this dataset.
    """
    terms = [term for phase in recipe.taught for term in phase.objectives]
    return scrutinise(terms, lookups(signals, dataset, recipe.needs))


def scrutinise(objectives: Iterable[Objective], heard: Mapping[str, Lookup]) -> list[str]:
    """What a person should know about the signals before training; nothing when all is well.

    Raises:
        SignalError: a signal is not finite or says the same of everything.
    """
    for name, lookup in heard.items():
        for field in ("logits", "vectors"):
            _refuse_empty(name, field, lookup)
    return [
        f"Objective '{objective.label}': {sentence}"
        for objective in objectives
        if objective.source is not None
        for sentence in objective.advice(heard[objective.source].sample(_ROWS))
    ]


def _refuse_empty(name: str, field: str, lookup: Lookup) -> None:
    values = lookup.sample(_ROWS).get(field)
    if values is None:
        return
    broken = int((~values.isfinite()).any(-1).sum())
    if broken:
        raise SignalError(
            f"The '{name}' signals are not finite in {broken} of {len(values)} rows looked at.",
            "The teacher overflowed while labelling; label again in float32.",
        )
    across = values if field == "logits" else values.T
    spread = (across.max(-1).values - across.min(-1).values).max().item()
    if spread == 0 and across.shape[-1] > 1:
        raise SignalError(
            f"All '{name}' signals looked at say the same: {field} of {values[0, 0].item():g}.",
            "This teacher has nothing to teach; train it, or look at its labelling.",
        )
