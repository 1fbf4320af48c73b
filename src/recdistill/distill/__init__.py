"""How a student learns from what a teacher said."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from recdistill.distill.distiller import distill
from recdistill.distill.objectives import (
    DKD,
    KL,
    MSE,
    Align,
    Collaborative,
    Discrepancy,
    Dist,
    HardLabel,
    ImportanceAware,
    ListMLE,
    MarginMSE,
    NextItem,
    PopularityGroups,
    Ranking,
    RelaxedRanking,
    SoftBCE,
    SoftCrossEntropy,
)
from recdistill.distill.recipe import Recipe
from recdistill.training.log import TrainingLog

__all__ = [
    "DKD",
    "KL",
    "MSE",
    "Align",
    "Collaborative",
    "Discrepancy",
    "Dist",
    "HardLabel",
    "ImportanceAware",
    "ListMLE",
    "MarginMSE",
    "NextItem",
    "PopularityGroups",
    "Ranking",
    "Recipe",
    "RelaxedRanking",
    "SoftBCE",
    "SoftCrossEntropy",
    "distill",
]


class _Verb(ModuleType):
    """`rd.distill(…)` is a verb, but importing this package puts its module in that very place."""

    def __call__(self, *args: Any, **options: Any) -> TrainingLog:
        return distill(*args, **options)


sys.modules[__name__].__class__ = _Verb
