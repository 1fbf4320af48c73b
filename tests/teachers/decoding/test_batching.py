from __future__ import annotations

import numpy as np
import pytest
import torch

from recdistill.errors import RecDistillError
from recdistill.teachers.decoding.batching import Appetite

LENGTHS = [3, 10, 4, 10, 1, 7]


def eaten(appetite: Appetite, work) -> list[list[int]]:
    return [rows.tolist() for rows, _ in appetite.fed(LENGTHS, work)]


def test_rows_of_like_length_go_together_and_none_is_left_out():
    batches = eaten(Appetite(20), lambda rows: None)
    assert batches == [[1, 3], [5, 2], [0, 4]]


def test_a_row_that_is_longer_than_a_batch_goes_alone():
    assert eaten(Appetite(5), lambda rows: None)[:2] == [[1], [3]]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"),
    ],
)
def test_where_memory_runs_out_batches_are_halved_and_it_goes_on(error):
    appetite, tried = Appetite(40), []

    def work(rows):
        tried.append(len(rows))
        if len(rows) * LENGTHS[rows[0]] > 12:
            raise error
        return rows * 2

    found = np.zeros(len(LENGTHS), dtype=np.int64)
    for rows, doubled in appetite.fed(LENGTHS, work):
        found[rows] = doubled
    assert found.tolist() == [0, 2, 4, 6, 8, 10]
    assert appetite.tokens <= 12  # for good
    assert tried[:3] == [4, 2, 1]


def test_what_does_not_fit_alone_is_told():
    def work(rows):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(RecDistillError, match="One prompt of 10 tokens"):
        list(Appetite(40).fed(LENGTHS, work))


def test_other_errors_are_not_about_memory():
    def work(rows):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        list(Appetite(40).fed(LENGTHS, work))
