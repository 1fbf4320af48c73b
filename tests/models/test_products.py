"""The product is right, and rounded alike whatever else is in it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recdistill.models import products
from recdistill.models.products import linear, product


@pytest.fixture(params=["onednn", "plain"])
def any_build(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without oneDNN."""
    if request.param == "plain":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)


@pytest.mark.usefixtures("any_build")
@pytest.mark.parametrize(("rows", "items"), [(1, 1), (1, 70), (2, 1), (33, 257)])
def test_agrees_with_double_precision(rows: int, items: int) -> None:
    random = torch.Generator().manual_seed(0)
    states, table = (torch.randn(count, 64, generator=random) for count in (rows, items))
    expected = states.double() @ table.double().T
    torch.testing.assert_close(product(states, table).double(), expected, rtol=1e-5, atol=1e-4)


def test_a_score_does_not_depend_on_its_neighbours() -> None:
    random = torch.Generator().manual_seed(1)
    states, table = (torch.randn(count, 64, generator=random) for count in (300, 900))
    whole = product(states, table)
    for rows, items in ((1, 5), (1, 1), (2, 900), (64, 64), (300, 17), (17, 1)):
        part = product(states[:rows], table[-items:])
        assert torch.equal(part, whole[:rows, -items:]), (rows, items)


def test_other_kinds_of_numbers_go_the_plain_way() -> None:
    states, table = torch.ones(2, 3, dtype=torch.float64), torch.ones(4, 3, dtype=torch.float64)
    assert torch.equal(product(states, table), torch.full((2, 4), 3.0, dtype=torch.float64))
    assert products._onednn() is None or callable(products._onednn())


@pytest.mark.usefixtures("any_build")
@pytest.mark.parametrize("rows", [1, 5])
def test_gradients_of_gradients_are_those_of_double_precision(rows: int) -> None:
    found = []
    for dtype in (torch.float64, torch.float32):
        torch.manual_seed(0)
        layer = nn.Linear(4, 3).to(dtype)
        values = torch.randn(rows, 4).to(dtype).requires_grad_()
        parts = (values, *layer.parameters())
        once = torch.autograd.grad(linear(layer, values).pow(3).sum(), parts, create_graph=True)
        twice = torch.autograd.grad(sum(part.pow(2).sum() for part in once), parts)
        found.append([part.double() for part in (*once, *twice)])
    for exact, single in zip(*found, strict=True):
        assert exact.any()
        torch.testing.assert_close(single, exact, rtol=1e-4, atol=1e-4)
