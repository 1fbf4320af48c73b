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
    AttentionMap,
    Collaborative,
    Discrepancy,
    Dist,
    HardLabel,
    Hint,
    ImportanceAware,
    InputGradient,
    ListMLE,
    MarginMSE,
    NextItem,
    PopularityGroups,
    Ranking,
    RelaxedRanking,
    SoftBCE,
    SoftCrossEntropy,
    ValueRelation,
)
from recdistill.distill.recipe import Recipe
from recdistill.training.log import TrainingLog

__all__ = [
    "DKD",
    "KL",
    "MSE",
    "Align",
    "AttentionMap",
    "Collaborative",
    "Discrepancy",
    "Dist",
    "HardLabel",
    "Hint",
    "ImportanceAware",
    "InputGradient",
    "ListMLE",
    "MarginMSE",
    "NextItem",
    "PopularityGroups",
    "Ranking",
    "Recipe",
    "RelaxedRanking",
    "SoftBCE",
    "SoftCrossEntropy",
    "ValueRelation",
    "distill",
]


class _Verb(ModuleType):
    """`rd.distill(…)` is a verb, but importing this package puts its module in that very place."""

    def __call__(self, *args: Any, **options: Any) -> TrainingLog:
        return distill(*args, **options)


sys.modules[__name__].__class__ = _Verb
