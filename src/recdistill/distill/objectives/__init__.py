"""One objective a file; this union is the list of all that a recipe may name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator

from recdistill.distill.objectives.align import Align
from recdistill.distill.objectives.attention_map import AttentionMap
from recdistill.distill.objectives.collaborative import Collaborative
from recdistill.distill.objectives.contract import (
    LiveObjective,
    LogitObjective,
    Objective,
    VectorObjective,
)
from recdistill.distill.objectives.counterfactual import Counterfactual
from recdistill.distill.objectives.discrepancy import Discrepancy
from recdistill.distill.objectives.dist import Dist
from recdistill.distill.objectives.dkd import DKD
from recdistill.distill.objectives.experts import DistillationExperts
from recdistill.distill.objectives.hard_label import HardLabel
from recdistill.distill.objectives.hint import Hint
from recdistill.distill.objectives.importance_aware import ImportanceAware
from recdistill.distill.objectives.info_nce import InfoNCE
from recdistill.distill.objectives.input_gradient import InputGradient
from recdistill.distill.objectives.kl import KL
from recdistill.distill.objectives.list_mle import ListMLE
from recdistill.distill.objectives.magnitude import Magnitude
from recdistill.distill.objectives.margin_mse import MarginMSE
from recdistill.distill.objectives.masked_generation import MaskedGeneration
from recdistill.distill.objectives.mse import MSE
from recdistill.distill.objectives.next_item import NextItem
from recdistill.distill.objectives.outcome import Outcome
from recdistill.distill.objectives.popularity_groups import PopularityGroups
from recdistill.distill.objectives.ranking import Ranking
from recdistill.distill.objectives.relation import Relation
from recdistill.distill.objectives.relaxed_ranking import RelaxedRanking
from recdistill.distill.objectives.soft_bce import SoftBCE
from recdistill.distill.objectives.soft_cross_entropy import SoftCrossEntropy
from recdistill.distill.objectives.topology import Topology
from recdistill.distill.objectives.value_relation import ValueRelation

AnyObjective = Annotated[
    NextItem
    | HardLabel
    | KL
    | MSE
    | SoftCrossEntropy
    | SoftBCE
    | DKD
    | Dist
    | MarginMSE
    | Ranking
    | Collaborative
    | RelaxedRanking
    | ListMLE
    | Discrepancy
    | PopularityGroups
    | ImportanceAware
    | Align
    | Relation
    | Topology
    | InfoNCE
    | DistillationExperts
    | MaskedGeneration
    | Hint
    | Magnitude
    | AttentionMap
    | ValueRelation
    | InputGradient
    | Counterfactual
    | Outcome,
    Discriminator("kind"),
]

__all__ = [
    "DKD",
    "KL",
    "MSE",
    "Align",
    "AnyObjective",
    "AttentionMap",
    "Collaborative",
    "Counterfactual",
    "Discrepancy",
    "Dist",
    "DistillationExperts",
    "HardLabel",
    "Hint",
    "ImportanceAware",
    "InfoNCE",
    "InputGradient",
    "ListMLE",
    "LiveObjective",
    "LogitObjective",
    "Magnitude",
    "MarginMSE",
    "MaskedGeneration",
    "NextItem",
    "Objective",
    "Outcome",
    "PopularityGroups",
    "Ranking",
    "Relation",
    "RelaxedRanking",
    "SoftBCE",
    "SoftCrossEntropy",
    "Topology",
    "ValueRelation",
    "VectorObjective",
]
