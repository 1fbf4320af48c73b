"""What is seen inside a model, against the same model computed by hand, history by history."""

from __future__ import annotations

import pytest
import torch
from live import ROWS, batch_of, model
from torch import nn
from torch.nn import functional as F  # noqa: N812

from recdistill.models.internals import Anatomy, Internals, watched


def by_hand(made, row):
    """Hidden states and queries, keys, values of each block, for one history; angles as complex numbers."""
    config, network = made.config, made.network
    depth = config.width // config.heads
    values = made.item_table()[row] * config.width**0.5
    turns = torch.ones(len(row), depth // 2, dtype=torch.complex128)
    if config.positions == "learned":
        values = values + network.positions.vectors[: len(row)]
    else:
        speeds = 10_000.0 ** (-torch.arange(depth // 2, dtype=torch.float64) / (depth // 2))
        turns = torch.exp(1j * torch.arange(len(row))[:, None] * speeds)
    hidden, parts = [], []
    for block in network.blocks:
        inward = block.attention.inward(block.attention_norm(values))
        query, key, value = inward.reshape(len(row), 3, config.heads, depth).unbind(1)
        query, key = (_turned(side, turns) for side in (query, key))
        parts.append(torch.stack([query, key, value], 1))
        mixed = torch.zeros_like(value)
        for position in range(len(row)):
            for head in range(config.heads):
                scores = key[: position + 1, head] @ query[position, head] / depth**0.5
                mixed[position, head] = scores.softmax(0) @ value[: position + 1, head]
        values = values + block.attention.outward(mixed.flatten(1))
        values = values + block.narrow(F.gelu(block.widen(block.feed_norm(values))))
        hidden.append(values)
    return hidden, parts


def _turned(side, turns):
    left, right = side.chunk(2, dim=-1)
    turned = torch.complex(left, right) * turns[:, None]
    return torch.cat([turned.real, turned.imag], dim=-1)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_what_is_seen_is_what_happens(positions):
    made, batch = model(positions=positions), batch_of()
    with watched(made.network) as seen:
        states = made.encode(batch)
    rows = [by_hand(made, row) for row in sorted(ROWS, key=len)]
    for block in range(2):
        wanted = torch.cat([hidden[block] for hidden, _ in rows])
        torch.testing.assert_close(seen.hidden[block], wanted)
        wanted = torch.cat([parts[block] for _, parts in rows])
        torch.testing.assert_close(seen.parts[block], wanted)
    torch.testing.assert_close(states, made.network.norm(seen.hidden[-1]))


def test_gradients_flow_until_they_are_cut():
    made = model()
    with watched(made.network) as seen:
        made.encode(batch_of())
    assert all(one.requires_grad for one in (*seen.hidden, *seen.parts))
    cut = seen.detached()
    assert not any(one.requires_grad for one in (*cut.hidden, *cut.parts))
    assert all(torch.equal(*pair) for pair in zip(cut.hidden, seen.hidden, strict=True))


def test_nobody_watches_afterwards_whatever_happened():
    made = model()
    with pytest.raises(ZeroDivisionError), watched(made.network) as seen:
        raise ZeroDivisionError
    made.encode(batch_of())
    assert seen == Internals()
    hooked = [
        part for part in made.network.modules() if part._forward_hooks or part._forward_pre_hooks
    ]
    assert hooked == []


def test_anatomy_is_the_configuration():
    assert Anatomy.of(model(width=12, blocks=3, heads=4).network) == Anatomy(3, 12, 4)
    assert Anatomy.of(nn.Linear(3, 4)) == Anatomy(0, 0, 0)
