"""Which layers of two models are compared.

Layers are counted from 0; `last` pairs the last of both, `spread` each layer of the student with the one as deep
in the teacher, layer i of m with layer ⌈(i + 1) n / m⌉ − 1 of n (PKD's `skip`: Sun et al. 2019, section 3.2, with
the last layer).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from recdistill.errors import ConfigError

Pair = tuple[NonNegativeInt, NonNegativeInt]
LayerPairs = Literal["last", "spread"] | Annotated[tuple[Pair, ...], Field(min_length=1)]
"""`last`, `spread`, or a list of `[student's layer, teacher's layer]`."""


def paired(layers: LayerPairs, student: int, teacher: int) -> list[tuple[int, int]]:
    """The pairs, for models of so many layers.

    >>> paired("spread", 2, 6)
    [(0, 2), (1, 5)]
    """
    if layers == "last":
        return [(student - 1, teacher - 1)]
    if layers == "spread":
        return [(own, -(-(own + 1) * teacher // student) - 1) for own in range(student)]
    return [(own, other) for own, other in layers]


def require_layers(label: str, layers: LayerPairs, student: int, teacher: int) -> None:
    """Refuse pairs of layers that are not there.

    Args:
        label: how people call who compares.
        layers: which.
        student: how many it has.
        teacher: how many it has.
    """
    for own, other in paired(layers, student, teacher):
        for who, layer, there in (("student", own, student), ("teacher", other, teacher)):
            if layer >= there:
                raise ConfigError(
                    f"{label} asks for layer {layer} of the {who}, which has {there}.",
                    f"Layers are counted from 0: the nearest is {there - 1}.",
                )
