"""Next-item losses: full softmax by formula, the sampled one by expectation over its samples."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from recdistill.models._chunks import PickedLogits
from recdistill.models.losses import Sampler, sampled_softmax, softmax


@pytest.fixture
def states() -> Tensor:
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def table() -> Tensor:
    return torch.randn(12, 4, generator=torch.Generator().manual_seed(2))


TARGETS = torch.tensor([0, 5, 11, 3, 3, 7])


def test_softmax_is_cross_entropy(states: Tensor, table: Tensor) -> None:
    found = softmax(PickedLogits(states, table), TARGETS)
    expected = F.cross_entropy(states @ table.T, TARGETS, reduction="none")
    torch.testing.assert_close(found, expected)


def test_every_item_once_is_softmax(states: Tensor, table: Tensor) -> None:
    """With uniform chances and each item drawn exactly once the estimate is the sum itself."""
    everyone = torch.arange(12)
    found = sampled_softmax(
        PickedLogits(states, table), TARGETS, everyone, torch.full((12,), -math.log(12))
    )
    torch.testing.assert_close(found, softmax(PickedLogits(states, table), TARGETS))


@pytest.mark.parametrize("alpha", [0.0, 0.75])
def test_the_estimate_of_the_sum_has_no_bias(states: Tensor, table: Tensor, alpha: float) -> None:
    torch.manual_seed(0)
    logits = PickedLogits(states, table)
    drawn, log_chances = Sampler(torch.arange(12.0) ** 2, alpha).draw(200_000)
    loss = sampled_softmax(logits, TARGETS, drawn, log_chances)
    # exp(loss + z_target) is the estimate of the normalising sum.
    estimate = (loss + logits.at(TARGETS[:, None])[:, 0]).exp()
    torch.testing.assert_close(estimate, logits.log_normaliser().exp(), rtol=0.03, atol=0)


def test_a_negative_that_is_the_target_counts_for_nothing(states: Tensor, table: Tensor) -> None:
    logits = PickedLogits(states[:1], table)
    both = sampled_softmax(logits, TARGETS[:1], torch.tensor([0, 4]), torch.tensor([-1.0, -1.0]))
    z = (states[:1] @ table.T)[0]
    expected = torch.logsumexp(torch.stack([z[0], z[4] + 1.0 - math.log(2)]), 0) - z[0]
    torch.testing.assert_close(both[0], expected)


def test_only_collisions_cost_nothing_and_are_finite(states: Tensor, table: Tensor) -> None:
    logits = PickedLogits(states[:1].requires_grad_(), table)
    loss = sampled_softmax(logits, TARGETS[:1], torch.tensor([0]), torch.tensor([0.0]))
    loss.sum().backward()
    assert float(loss.detach()) == 0
    assert states.grad is None or states.grad.isfinite().all()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_items_are_drawn_by_popularity(alpha: float) -> None:
    torch.manual_seed(1)
    counts = torch.tensor([0.0, 1.0, 3.0, 15.0])
    drawn, log_chances = Sampler(counts, alpha).draw(100_000)
    chances = (counts + 1) ** alpha / ((counts + 1) ** alpha).sum()
    torch.testing.assert_close(drawn.bincount(minlength=4) / 100_000, chances, atol=0.01, rtol=0)
    torch.testing.assert_close(log_chances, chances.log()[drawn])


def test_the_generator_decides() -> None:
    sampler = Sampler(torch.ones(1000), 0.5).to(torch.device("cpu"))
    torch.manual_seed(5)
    first = sampler.draw(64)[0]
    torch.manual_seed(5)
    assert torch.equal(first, sampler.draw(64)[0])
    assert not torch.equal(first, sampler.draw(64)[0])
