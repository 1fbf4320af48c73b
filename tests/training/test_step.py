"""Some of the histories of a batch are what packing them alone gives."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data.batches import pack
from recdistill.data.sequences import Sequences
from recdistill.training.step import TorchBatch

lengths = st.lists(st.integers(1, 6), min_size=1, max_size=12)


def packed(rows):
    """Histories of numbers that occur once, so that a target and an event tell whose they are."""
    batch, _ = pack(Sequences.from_lists(rows))
    return TorchBatch.of(replace(batch, targets=batch.items + 1000, events=batch.items + 5000))


@given(lengths, st.data())
def test_some_histories_are_a_batch_of_their_own(lengths, data):
    first, rows = 0, []
    for length in sorted(lengths):
        rows.append(list(range(first, first + length)))
        first += length
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, unique=True).map(sorted))
    found = packed(rows).take(torch.tensor(chosen))
    wanted = packed([rows[row] for row in chosen])
    for field in fields(TorchBatch):
        one, other = getattr(found, field.name), getattr(wanted, field.name)
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=field.name)
