"""What a student takes over from its teacher before it learns: item vectors, cut to its width.

Starting from the principal components of a language model's item vectors has been worth 2–8 % on
strong students (Harte et al. 2023; measured again by EnsRec 2025); permuting the vectors between
items destroys the gain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import ConfigDict, Field, model_validator
from torch import Tensor

from recdistill.distill.objectives.bridges import Standardising
from recdistill.distill.principal import principal
from recdistill.errors import ConfigError
from recdistill.models.item_encoders import IdItems, OffsetItems, VectorItems
from recdistill.models.recommender import SequenceModel
from recdistill.settings import Settings

_SHARE = 0.2
"""As in the authors' code of DLLM2Rec (Cui et al. 2024); their README says 0.3."""


class TeacherInit(Settings):
    """Start from something the teacher says: `{from: teacher, what: item-vectors}`.

    A student with item vectors of its own starts from their principal components; one whose items
    are of the kind `offset` or `vectors` makes its items from the vectors themselves.
    """

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    from_: Literal["teacher"] = Field(
        default="teacher", validation_alias="from", serialization_alias="from"
    )
    what: Literal["item-vectors"] = "item-vectors"
    as_: Literal["start", "input"] = Field(
        default="start",
        validation_alias="as",
        serialization_alias="as",
        exclude_if=lambda given: given == "start",
    )
    """`start` writes into the student's items before it learns. With `input` its own item vectors are summed with
    the teacher's, bent by a map that is learned with everything else, and the sums are its own when it has learned."""
    share: float = Field(default=_SHARE, gt=0, exclude_if=lambda given: given == _SHARE)
    """How much the bent vectors count beside the student's own, as `input`."""

    @model_validator(mode="after")
    def _only_inputs_have_a_share(self) -> TeacherInit:
        if self.as_ == "start" and "share" in self.model_fields_set:
            raise ValueError("`share` is how much an input counts; add `as: input`, or drop it")
        return self

    def check(self, student: SequenceModel) -> None:
        """Refuse a student that has no place for the teacher's vectors.

        Raises:
            ConfigError: its items cannot be written to, or are made from other vectors already.
        """
        encoder = student.network.get_submodule("items")
        if self.as_ == "input" and not isinstance(encoder, IdItems):
            raise ConfigError(
                f"`init: {{as: input}}` adds the teacher's vectors to item vectors of the student's own, but this "
                f"{student.kind} makes its items from vectors that are given.",
                "Use `student: {items: {kind: ids}}`, or drop `as: input`: its items are made of inputs already.",
            )
        if not isinstance(encoder, IdItems | OffsetItems | VectorItems):
            raise ConfigError(
                f"`init` writes into a student's item vectors, and this {student.kind} has none to write to.",
                "Use `student: {items: {kind: ids}}`, or drop `init`.",
            )

    @property
    def source(self) -> str:
        """The kind of signal it takes."""
        return self.what


@dataclass(frozen=True)
class Inheritance:
    """What was inherited.

    Attributes:
        items: how many items start from the teacher's vector; the others keep their own start.
        explained: share of the variance of the teacher's vectors that the student's width holds.
    """

    items: int
    explained: float


@torch.no_grad()
def inherit_vectors(
    table: Float[Tensor, "items width"],
    teacher: Float[Tensor, "known teacher_width"],
    known: Bool[Tensor, " items"],
) -> Inheritance:
    """Write the principal components of the teacher's item vectors into the student's `table`.

    They are centred and scaled, all by one factor, to the deviation that the table had, so that the
    student starts with activations of the size it was designed for. Where the teacher has fewer
    components than the student has columns, the columns left over keep their own start.

    Args:
        table: the student's item vectors; changed in place.
        teacher: vectors of the items that the teacher knows, in the order of the items.
        known: which items these are.
    """
    found = principal(teacher, table.shape[1])
    components = (teacher - found.mean) @ found.axes
    scale = table.std() / components.std().clamp_min(torch.finfo(components.dtype).tiny)
    columns = torch.arange(components.shape[1], device=table.device)
    rows = known.nonzero()
    table[rows, columns] = (components * scale).to(table.dtype)
    return Inheritance(len(teacher), found.explained)


@torch.no_grad()
def inherit_features(
    features: Float[Tensor, "items width"],
    teacher: Float[Tensor, "known teacher_width"],
    known: Bool[Tensor, " items"],
) -> Inheritance:
    """Write the teacher's item vectors into the `features` that a student makes its items from.

    They are centred, and scaled by one factor to a mean square of 1. Items that the teacher does
    not know get its mean, which is 0.

    Raises:
        ConfigError: the student was made for vectors of another width.
    """
    if teacher.shape[1] != features.shape[1]:
        raise ConfigError(
            f"The teacher's item vectors have width {teacher.shape[1]}, but the student makes its "
            f"items from vectors of width {features.shape[1]}.",
            f"Give the student's `items` `features: {teacher.shape[1]}`, as in "
            f"`items: {{kind: offset, features: {teacher.shape[1]}}}`.",
        )
    features[known] = Standardising(teacher)(teacher).to(features.dtype)
    features[~known] = 0
    return Inheritance(len(teacher), 1.0)
