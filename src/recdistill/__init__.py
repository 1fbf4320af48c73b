"""RecDistill: distil large language models into small recommenders, and prove that it was worth it.

Everything here is loaded on first use, so that `import recdistill` costs nothing and needs neither torch nor
transformers. What there is stands in `__init__.pyi`, for people and type checkers; where it lives, below.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "recdistill.bundle.export": ("export",),
    "recdistill.bundle.loading": ("Bundle", "load_bundle"),
    "recdistill.client": ("AsyncClient", "Client"),
    "recdistill.data.dataset": ("Dataset",),
    "recdistill.data.preparation": ("load_dataset",),
    "recdistill.distill": (
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
    ),
    "recdistill.errors": ("RecDistillError",),
    "recdistill.evaluation.protocol": ("evaluate",),
    "recdistill.models.item_knn": ("ItemKNN",),
    "recdistill.models.popularity": ("Popularity",),
    "recdistill.models.recommender": ("Recommender",),
    "recdistill.models.sasrec": ("SASRec",),
    "recdistill.signals": ("ItemVectors", "Signals", "TopK", "UserVectors"),
    "recdistill.teachers": (
        "EnsembleTeacher",
        "FeatureTeacher",
        "RecommenderTeacher",
        "TextEncoderTeacher",
        "TransferTeacher",
        "label",
        "load_teacher",
    ),
    "recdistill.training.options": ("RunOptions", "TrainingConfig"),
}

_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'recdistill' has no attribute '{name}'")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return ["__version__", *sorted(_HOME_OF)]
