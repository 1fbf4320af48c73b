"""The linear layer against torch's own, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from recdistill.models.products import linear


def run(layer: nn.Linear, values: Tensor, *, ours: bool) -> list[Tensor]:
    layer.zero_grad()
    leaf = values.clone().requires_grad_()
    found = linear(layer, leaf) if ours else layer(leaf)
    found.square().sum().backward()
    gradients = [leaf.grad, *(parameter.grad for parameter in layer.parameters())]
    return [found.detach(), *(part.clone() for part in gradients if part is not None)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(0, 8, 24), (1, 8, 24), (2, 1, 3), (300, 8, 1), (300, 64, 192)])
def test_values_and_gradients(shape: tuple[int, int, int], bias: bool) -> None:
    rows, inward, outward = shape
    torch.manual_seed(0)
    layer, values = nn.Linear(inward, outward, bias=bias), torch.randn(rows, inward)
    found, expected = run(layer, values, ours=True), run(layer, values, ours=False)
    assert len(found) == len(expected) == 3 + bias
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_same_bits_every_time() -> None:
    torch.manual_seed(0)
    layer, values = nn.Linear(64, 192), torch.randn(999, 64)
    for one, other in zip(
        run(layer, values, ours=True), run(layer, values, ours=True), strict=True
    ):
        assert torch.equal(one, other)


def test_other_precisions_are_left_to_torch() -> None:
    layer, values = nn.Linear(4, 3).double(), torch.randn(5, 4, dtype=torch.float64)
    assert torch.equal(linear(layer, values), layer(values))
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(layer.float(), values.float()).dtype == torch.bfloat16


def test_frozen_weights_get_no_gradient() -> None:
    layer, values = nn.Linear(4, 3).requires_grad_(False), torch.randn(5, 4, requires_grad=True)
    linear(layer, values).sum().backward()
    assert layer.weight.grad is None
    assert values.grad is not None
    torch.testing.assert_close(values.grad, layer.weight.sum(0).expand(5, 4))
