"""One filter a file; this union is the list of all that a term may name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator

from recdistill.distill.filters.confident import Confident
from recdistill.distill.filters.contract import Filter, Heard
from recdistill.distill.filters.disagreement import Disagreement
from recdistill.distill.filters.labelled import Labelled
from recdistill.distill.filters.noise import Noise
from recdistill.distill.filters.part import Part
from recdistill.distill.filters.propensity import InversePropensity
from recdistill.distill.filters.random import Random
from recdistill.distill.filters.teacher_right import TeacherRight
from recdistill.distill.filters.top import Top

AnyFilter = Annotated[
    Random
    | Part
    | Top
    | TeacherRight
    | Confident
    | Disagreement
    | Noise
    | InversePropensity
    | Labelled,
    Discriminator("kind"),
]

__all__ = [
    "AnyFilter",
    "Confident",
    "Disagreement",
    "Filter",
    "Heard",
    "InversePropensity",
    "Labelled",
    "Noise",
    "Part",
    "Random",
    "TeacherRight",
    "Top",
]
