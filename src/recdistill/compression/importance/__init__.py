"""How much every part of a network matters, by three criteria, one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from recdistill.compression.importance.activations import activations
from recdistill.compression.importance.contract import Evidence, Importance
from recdistill.compression.importance.magnitude import magnitude
from recdistill.compression.importance.taylor import taylor
from recdistill.compression.settings import Criterion
from recdistill.models.sasrec import SASRec

__all__ = ["CRITERIA", "Evidence", "Importance", "activations", "magnitude", "taylor"]

CRITERIA: Mapping[Criterion, Callable[[SASRec, Evidence], Importance]] = {
    "magnitude": lambda student, evidence: magnitude(student),
    "taylor": taylor,
    "activations": activations,
}
"""How each is measured."""
