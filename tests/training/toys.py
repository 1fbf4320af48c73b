"""A module, batches and losses small enough to reason about."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from recdistill.data.batches import Batch
from recdistill.training.step import StepLoss

ITEMS = 12


class ToyBatches:
    """Histories of three items, each followed by the next number; a pure function of epoch and step."""

    def __init__(self, steps=6, rows=4, seed=0):
        self.steps, self._rows, self._seed = steps, rows, seed

    def batch(self, epoch, step):
        assert 0 <= step < self.steps
        random = np.random.default_rng((self._seed, epoch, step))
        return packed(random.integers(ITEMS, size=(self._rows, 3)))


def packed(rows):
    items = rows.ravel()
    unknown = np.full(items.size, -1)
    places = np.tile(np.arange(rows.shape[1]), len(rows))
    return Batch(items, places, (items + 1) % ITEMS, unknown, ((0, *rows.shape),))


class HalvedBatches:
    """The same experience in batches half as large."""

    def __init__(self, whole):
        self._whole, self.steps = whole, 2 * whole.steps

    def batch(self, epoch, step):
        rows = self._whole.batch(epoch, step // 2).items.reshape(-1, 3)
        half = len(rows) // 2
        return packed(rows[half:] if step % 2 else rows[:half])


class Toy(nn.Module):
    """Guesses the next item; with dropout, so that randomness matters."""

    def __init__(self, dropout=0.25, seed=0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.embed = nn.Embedding(ITEMS, 8)
            self.drop = nn.Dropout(dropout)
            self.norm = nn.LayerNorm(8)
            self.out = nn.Linear(8, ITEMS)
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("scratch", torch.ones(3), persistent=False)

    def forward(self, items):
        if self.training:
            self.seen += 1
        return self.out(self.norm(self.drop(self.embed(items))))


def cross_entropy(module):
    def loss(batch, moment):
        value = nn.functional.cross_entropy(module(batch.items), batch.targets)
        return StepLoss(value, {"next-item": value.detach()}, len(batch))

    return loss


def accuracy(module):
    items = torch.arange(ITEMS)

    def measure():
        assert not module.training
        assert not torch.is_grad_enabled()
        return -float(nn.functional.cross_entropy(module(items), (items + 1) % ITEMS))

    return measure


def tensors(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(left, right):
    return left.keys() == right.keys() and all(
        torch.equal(left[name], right[name]) for name in left
    )


class Witness:
    """A tracker that remembers."""

    def __init__(self):
        self.said, self.starts, self.flushes, self.closed = [], [], 0, 0

    def start(self, config, step):
        self.starts.append((dict(config), step))

    def scalars(self, step, values):
        self.said.append((step, dict(values)))

    def flush(self):
        self.flushes += 1

    def close(self):
        self.closed += 1
