"""A SASRec large enough to be pruned, what it sees, and a plan for it: what the tests of compression share."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch

from recdistill.compression.plans import BlockPlan, Plan
from recdistill.data.batches import pack
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.training.step import TorchBatch

ITEMS, WIDTH, HEADS, INNER = 12, 8, 4, 16


def model(seed=0, **config) -> SASRec:
    """Weights large enough to say something, in float64, asleep."""
    settings = {"width": WIDTH, "blocks": 3, "heads": HEADS, "widening": 2, "history": 6, **config}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = SASRec(SASRecConfig.model_validate(settings), Vocabulary(pl.Series(range(ITEMS))))
        with torch.no_grad():
            for value in (*made.network.parameters(), made.network.start):
                value.add_(torch.randn_like(value) * 0.3)
    made.network.double().eval()
    return made


def batch_of(rows) -> TorchBatch:
    return TorchBatch.of(pack(Sequences.from_lists(rows))[0])


def batches() -> list[TorchBatch]:
    return [batch_of([[3, 1, 4, 1, 5], [9], [2, 6, 5]]), batch_of([[8, 9, 7], [0, 11]])]


def some_plan(seed=0, axes=None) -> Plan:
    """Other heads and units in each of two blocks of three."""
    random = np.random.default_rng(seed)
    blocks = [
        BlockPlan(
            number,
            torch.from_numpy(np.sort(random.choice(HEADS, 2 + number // 2, replace=False))),
            torch.from_numpy(np.sort(random.choice(INNER, 5 + number, replace=False))),
        )
        for number in (0, 2)
    ]
    return Plan(tuple(blocks), axes)


def loss_of(student: SASRec):
    """Something with a slope in everything that is said."""

    def loss(batch: TorchBatch) -> torch.Tensor:
        table = student.item_table()
        logits = student.encode(batch, table) @ table.T
        return torch.logsumexp(logits, 1).mean() - logits[:, 3].sin().mean()

    return loss
