"""How several teachers become one: one combiner a file; this union is the list of all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator

from recdistill.teachers.combining.confidence import Confidence
from recdistill.teachers.combining.contract import Combiner, LinearPool, pooled
from recdistill.teachers.combining.gate import Gate
from recdistill.teachers.combining.mean import Mean
from recdistill.teachers.combining.per_context import PerContext
from recdistill.teachers.combining.probabilities import Probabilities
from recdistill.teachers.combining.vote import Vote

_Linear = Probabilities | Vote | Confidence | PerContext

AnyPool = Annotated[_Linear, Discriminator("kind")]
"""A linear pool: what members give is added up."""
AnyCombiner = Annotated[Mean | _Linear, Discriminator("kind")]
"""Any combiner; configurations choose it by `kind`."""

__all__ = [
    "AnyCombiner",
    "AnyPool",
    "Combiner",
    "Confidence",
    "Gate",
    "LinearPool",
    "Mean",
    "PerContext",
    "Probabilities",
    "Vote",
    "pooled",
]
