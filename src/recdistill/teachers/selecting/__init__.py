"""Which contexts a teacher is asked about: one selection a file; this union is the list of all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator

from recdistill.teachers.selecting.active import Active, Mix
from recdistill.teachers.selecting.all import All
from recdistill.teachers.selecting.contract import Choice, Circumstances, Eligible, Selection
from recdistill.teachers.selecting.hardest import Hardest
from recdistill.teachers.selecting.random import Random

AnySelection = Annotated[All | Random | Hardest | Active, Discriminator("kind")]
"""Any selection; configurations choose it by `kind`."""

__all__ = [
    "Active",
    "All",
    "AnySelection",
    "Choice",
    "Circumstances",
    "Eligible",
    "Hardest",
    "Mix",
    "Random",
    "Selection",
]
