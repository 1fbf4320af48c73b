"""What is tried to make a run's students smaller."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PositiveInt, field_validator

from recdistill.bundle.manifest import Precision
from recdistill.compression.settings import AnyTolerance, Integers, Structure, Tolerance
from recdistill.distill.reductions import Reduction
from recdistill.settings import Settings

WHOLE = "whole"
"""What the student is called that nothing was cut from."""


class Form(Settings):
    """How the numbers of a student are stored when it leaves."""

    precision: Precision = "float32"
    """Of the item table and of the matrices of its layers."""
    encoder: Integers | None = Field(default=None, exclude_if=lambda given: given is None)
    """Whether, and how, the products of its layers are computed in whole numbers."""

    @property
    def label(self) -> str:
        """In a word, or two."""
        return f"{self.precision}-{self.encoder.label}" if self.encoder else self.precision


def _precision_alone(given: Any) -> Any:
    return {"precision": given} if isinstance(given, str) else given


AnyForm = Annotated[Form, BeforeValidator(_precision_alone)]
"""`int8` for short."""


class CompressionConfig(Settings):
    """Smaller students, and what they may lose; `recdistill compress` compares them."""

    students: dict[str, Reduction] = Field(
        default={"half": Reduction(prune=Structure(parameters=0.5))}
    )
    """Smaller students by name, each made of the run's own: pruned, and distilled on."""
    forms: tuple[AnyForm, ...] = (Form(), Form(precision="float16"), Form(precision="int8"))
    """In which each of them is judged, the student itself too."""
    tolerance: AnyTolerance = Tolerance()
    """How much of the student's quality on validation may be lost."""
    seeds: PositiveInt = 1
    """Of how many of the run's students smaller ones are made; more tell luck from loss."""
    latency_requests: PositiveInt = 200
    """Single histories on which answers are timed."""

    @field_validator("students")
    @classmethod
    def _names_are_folders(cls, students: dict[str, Reduction]) -> dict[str, Reduction]:
        for name in students:
            if name == WHOLE or not all(part.isalnum() for part in name.split("-")):
                raise ValueError(
                    f"'{name}' cannot be the name of a smaller student: letters and digits, with single hyphens "
                    f"between, and not '{WHOLE}', which is the student itself"
                )
        return students
