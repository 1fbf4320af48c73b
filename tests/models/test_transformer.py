"""Blocks on packed histories against the same computation on padded ones."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from recdistill.models.transformer import Attention, Block, ByteDropout, rotate

RUNS = ((0, 3, 1), (3, 2, 4), (11, 1, 6))


@pytest.fixture
def values() -> Tensor:
    return torch.randn(17, 8, generator=torch.Generator().manual_seed(0))


def by_hand(attention: Attention, history: Tensor, angles: Tensor | None = None) -> Tensor:
    """Scaled dot products, a mask, a softmax: one history at a time."""
    query, key, value = attention.inward(history).chunk(3, dim=1)
    heads = []
    depth = history.shape[1] // attention.heads
    for head in range(attention.heads):
        q, k, v = (part[:, head * depth : (head + 1) * depth] for part in (query, key, value))
        if angles is not None:
            q, k = turned(q, angles), turned(k, angles)
        future = torch.ones(len(history), len(history)).triu(1).bool()
        scores = (q @ k.T / math.sqrt(depth)).masked_fill(future, -torch.inf)
        heads.append(scores.softmax(1) @ v)
    return attention.outward(torch.cat(heads, dim=1))


def turned(values: Tensor, angles: Tensor) -> Tensor:
    """Rotation as multiplication of complex numbers."""
    left, right = values.chunk(2, dim=1)
    product = torch.complex(left, right) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat((product.real, product.imag), dim=1)


def histories(values: Tensor) -> list[tuple[int, int]]:
    return [(first + row * length, length) for first, rows, length in RUNS for row in range(rows)]


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_stays_within_each_history(values: Tensor, heads: int) -> None:
    attention = Attention(8, heads)
    found = attention(values, RUNS)
    for start, length in histories(values):
        own = slice(start, start + length)
        torch.testing.assert_close(found[own], by_hand(attention, values[own]))


def test_rotary_attention(values: Tensor) -> None:
    attention = Attention(8, 2)
    angles = torch.rand(17, 2, generator=torch.Generator().manual_seed(1))
    found = attention(values, RUNS, angles)
    for start, length in histories(values):
        own = slice(start, start + length)
        torch.testing.assert_close(found[own], by_hand(attention, values[own], angles[own]))


def test_rotation_keeps_lengths_and_sees_only_distances() -> None:
    random = torch.Generator().manual_seed(2)
    query, key = (torch.randn(1, 1, 1, 8, generator=random) for _ in range(2))
    speeds = torch.tensor([1.0, 0.3, 0.1, 0.01])

    def product(query_place: int, key_place: int) -> float:
        one = rotate(query, query_place * speeds[None])
        other = rotate(key, key_place * speeds[None])
        return float((one * other).sum())

    assert product(7, 4) == pytest.approx(product(23, 20), abs=1e-5)
    assert product(7, 4) != pytest.approx(product(7, 5), abs=1e-3)
    turned_query = rotate(query, 5 * speeds[None])
    assert float(turned_query.norm()) == pytest.approx(float(query.norm()))


def test_gradients_of_attention(values: Tensor) -> None:
    attention = Attention(8, 2).double()
    assert torch.autograd.gradcheck(
        lambda inputs: attention(inputs, RUNS), values.double().requires_grad_()
    )


def test_a_block_adds_attention_and_then_the_net(values: Tensor) -> None:
    block = Block(8, 2, 32, dropout=0.5).eval()
    between = values + block.attention(block.attention_norm(values), RUNS)
    net = block.narrow(nn.functional.gelu(block.widen(block.feed_norm(between))))
    torch.testing.assert_close(block(values, RUNS), between + net)


def test_dropout_keeps_the_expectation() -> None:
    torch.manual_seed(0)
    drop, ones = ByteDropout(0.3), torch.ones(1000, 301)
    found = drop(ones)
    kept = (256 - drop.cut) / 256
    assert float((found > 0).float().mean()) == pytest.approx(kept, abs=3e-3)
    assert float(found.mean()) == pytest.approx(1.0, abs=5e-3)
    assert found.unique().tolist() == pytest.approx([0.0, 1 / kept])
    assert kept == pytest.approx(0.7, abs=1 / 512)


def test_dropout_is_independent_between_places() -> None:
    torch.manual_seed(0)
    found = (ByteDropout(0.5)(torch.ones(4000, 16)) > 0).float()
    correlations = torch.corrcoef(found.T) - torch.eye(16)
    assert float(correlations.abs().max()) < 0.07


def test_dropout_is_a_function_of_the_generator() -> None:
    drop, values = ByteDropout(0.5), torch.ones(40, 3)
    torch.manual_seed(4)
    first = drop(values)
    torch.manual_seed(4)
    assert torch.equal(first, drop(values))
    assert not torch.equal(first, drop(values))


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_dropout_is_silent_when_not_training(rate: float) -> None:
    values = torch.randn(5, 3)
    assert ByteDropout(rate).eval()(values) is values
    assert (ByteDropout(rate).train()(values) is values) == (rate == 0)


def test_gradient_of_dropout_is_its_mask() -> None:
    torch.manual_seed(0)
    values = torch.ones(30, 7, requires_grad=True)
    found = ByteDropout(0.4)(values)
    found.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, found.detach())


def test_many_runs_cost_no_more_memory_than_few() -> None:
    """Slices would have given each run a gradient as large as the whole batch."""
    sizes: list[bool] = []
    runs = tuple((length * (length - 1) // 2, 1, length) for length in range(1, 31))
    attention, inputs = Attention(8, 1), torch.randn(465, 8, requires_grad=True)
    out = attention(inputs, runs)
    pending, visited = [out.grad_fn], set()
    while pending:
        node = pending.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        sizes.append("SliceBackward" in node.name())
        pending.extend(parent for parent, _ in node.next_functions)
    assert not any(sizes)
    out.sum().backward()
    assert inputs.grad is not None
