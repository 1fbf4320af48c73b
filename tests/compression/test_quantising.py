"""Tables in few bits, against numbers worked out by hand and against numpy in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recdistill.compression.quantising import quantised, rounded, rounding
from recdistill.compression.settings import Quantising
from recdistill.models.item_encoders import IdItems, OffsetItems


def tables(seed):
    random = np.random.default_rng(seed)
    scale = 10.0 ** random.integers(-6, 6, size=(7, 1))
    return torch.from_numpy((random.standard_normal((7, 5)) * scale).astype(np.float32))


def test_by_hand():
    found = quantised(torch.tensor([[127.0, -63.4, 0.5], [0.0, 0.0, 0.0], [-7.0, 3.5, 1.0]]))
    assert found.values.tolist()[0] == [127, -63, 0]  # halves to the even
    assert found.values.tolist()[1] == [0, 0, 0]
    assert found.values.tolist()[2] == [-127, 64, 18]  # 63.5 to the even 64
    assert found.scales.tolist() == pytest.approx([1.0, 1.0, 7 / 127])
    assert quantised(torch.tensor([[7.0, -7.0, 3.4]]), 4).values.tolist() == [[7, -7, 3]]


@given(seed=st.integers(0, 10_000), bits=st.sampled_from([4, 8]))
def test_no_number_moves_by_more_than_half_a_step_and_twice_is_once(seed, bits):
    table = tables(seed)
    found = quantised(table, bits)
    steps = table.double().abs().amax(1) / (2 ** (bits - 1) - 1)
    moved = (found.table.double() - table.double()).abs()
    assert (moved <= steps[:, None] * (0.5 + 1e-5)).all()
    again = quantised(found.table, bits)
    assert torch.equal(again.values, found.values)
    assert int(found.values.abs().max()) == 2 ** (bits - 1) - 1


def test_gradients_pass_as_if_nothing_were_rounded():
    table = tables(3).requires_grad_()
    weights = torch.arange(35.0).view(7, 5)
    near = rounded(table, 4)
    torch.testing.assert_close(near, quantised(table.detach(), 4).table, rtol=1e-6, atol=0)
    (near * weights).sum().backward()
    assert torch.equal(table.grad, weights)


def test_items_are_seen_rounded_and_are_so_afterwards():
    torch.manual_seed(0)
    items = IdItems(6, 4)
    before, names = items.vectors.detach().clone(), set(items.state_dict())
    with rounding(items, Quantising(bits=4)):
        wanted = quantised(before, 4).table
        torch.testing.assert_close(items().detach(), wanted, rtol=1e-6, atol=0)
        assert torch.equal(items.vectors, before)  # what learns is not rounded
        assert set(items.state_dict()) == names
    torch.testing.assert_close(items().detach(), wanted, rtol=1e-6, atol=0)


def test_items_made_of_features_are_rounded_as_sums():
    torch.manual_seed(0)
    items = OffsetItems(6, 3, 4, 0.2)
    items.features.normal_()
    whole = items().detach()
    with rounding(items, Quantising(bits=8)):
        torch.testing.assert_close(items().detach(), quantised(whole, 8).table, rtol=1e-6, atol=0)
    assert torch.equal(items().detach(), whole)
