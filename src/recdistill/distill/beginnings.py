"""What a student begins with: whatever its recipe's `init` takes over from the teacher."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from recdistill.distill.copying import LayersInit
from recdistill.distill.feeding import fed
from recdistill.distill.initialise import TeacherInit, inherit_features, inherit_vectors
from recdistill.distill.lookup import Lookup
from recdistill.distill.recipe import Recipe
from recdistill.models.item_encoders import IdItems, OffsetItems, VectorItems
from recdistill.models.recommender import Recommender, SequenceModel

_log = logging.getLogger(__name__)


@contextmanager
def begun(
    student: SequenceModel,
    recipe: Recipe,
    heard: Mapping[str, Lookup],
    teacher: Recommender | None,
    seed: int,
) -> Generator[None]:
    """`student` as it is to learn inside the block, and as it is to be served when it is over.

    Raises:
        ConfigError: the student has no place for what it is to take over.
    """
    init = recipe.init
    if isinstance(init, LayersInit):
        blocks = init.hand_over(student, teacher)
        _log.info("The student begins as its teacher with the blocks %s alone.", list(blocks))
        yield
    elif init and init.as_ == "input":
        width = heard[init.what].sample(1)["vectors"].shape[1]
        with fed(student, width, init.share, seed):
            _inherit(student, init, heard)
            yield
    else:
        if init:
            _inherit(student, init, heard)
        else:
            _warn_of_no_features(student, recipe)
        yield


def _items(student: SequenceModel) -> nn.Module:
    return student.network.get_submodule("items")


def _inherit(student: SequenceModel, init: TeacherInit, heard: Mapping[str, Lookup]) -> None:
    """Write the teacher's vectors into the student's items.

    Raises:
        ConfigError: they are made for vectors of another width.
    """
    encoder, lookup = _items(student), heard[init.what]
    assert isinstance(encoder, IdItems | OffsetItems | VectorItems)  # see `TeacherInit.check`
    if isinstance(encoder, IdItems):
        write, table = inherit_vectors, encoder.vectors
    else:
        write, table = inherit_features, encoder.features
    known = torch.from_numpy(lookup.has(np.arange(len(table))))
    vectors = lookup.read(lookup.known, table.device)["vectors"]
    found = write(table, vectors, known.to(table.device))
    _log.info(
        "%d of %d items start from the teacher's vectors; %d columns hold %.1f %% of their variance.",
        found.items,
        len(table),
        table.shape[1],
        100 * found.explained,
    )


def _warn_of_no_features(student: SequenceModel, recipe: Recipe) -> None:
    """Items that are to be made of what nobody gave."""
    encoder = _items(student)
    if not isinstance(encoder, OffsetItems | VectorItems) or encoder.features.any():
        return
    blind = isinstance(encoder, VectorItems)
    if blind or recipe.needs:
        _log.warning(
            "The student's items have room for the teacher's vectors, but nothing puts them there%s; "
            "add `init: {from: teacher, what: item-vectors}` to the recipe.",
            ": it cannot tell one item from another" if blind else "",
        )
