"""A student whose items are made of the teacher's vectors while it learns, and are its own when it has learned.

    v_i = o_i + share · W t_i       o_i the student's own vectors, t_i the teacher's, W learned with everything else

The teacher's outputs are inputs of the student, and what it makes of them is learned end to end (collaborative
embedding distillation of DLLM2Rec: Cui et al. 2024). Afterwards the sums take the place of the vectors: a
reparametrisation, so the student that is served is made like its twin and says what it said.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn

from recdistill.models.item_encoders import IdItems, OffsetItems
from recdistill.models.recommender import SequenceModel


@contextmanager
def fed(student: SequenceModel, features: int, share: float, seed: int) -> Generator[OffsetItems]:
    """Let `student`, which has free item vectors, make its items of vectors of width `features` inside the block.

    Whatever ends the block, the student is then as it was made, with the sums as its vectors. A training that resumes
    enters the block again, and finds o_i, t_i and W in its checkpoint.

    Args:
        student: changed in place.
        features: the width of the teacher's vectors, which the caller writes into what is given.
        share: how much they count.
        seed: of W.
    """
    network, own = student.network, student.network.get_submodule("items")
    assert isinstance(own, IdItems)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = OffsetItems(len(own.vectors), features, own.vectors.shape[1], share)
    made.offset = own
    _put(network, made.to(own.vectors))
    try:
        yield made
    finally:
        with torch.no_grad():
            own.vectors.copy_(made())
        _put(network, own)


def _put(network: nn.Module, items: nn.Module) -> None:
    network.add_module("items", items)
