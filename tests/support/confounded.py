"""A world whose effects are known: drivers cause what follows, decoration only keeps them company.

A history is (decoration, driver) or (driver, decoration), and then the answer: with probability `SURE` the one
that the driver causes, otherwise any. In the log a hidden mood picks a driver and, nearly always, the decoration
of the same number; in the experiment decoration is drawn by itself. Items: drivers 0 … n − 1, decoration
n … 2n − 1, answers 2n … 3n − 1.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import torch

from recdistill.data.batches import TrainingBatches, pack
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.distill.loss import DistillationLoss
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.training.step import Moment, TorchBatch

MOODS, SURE = 5, 0.8
ITEMS = 3 * MOODS


def log(rows: int, seed: int, together: float) -> Sequences:
    """Histories in which decoration has the driver's number with probability `together`, else any."""
    draw = np.random.default_rng(seed)
    driver = draw.integers(MOODS, size=rows)
    decoration = np.where(draw.random(rows) < together, driver, draw.integers(MOODS, size=rows))
    answer = np.where(draw.random(rows) < SURE, driver, draw.integers(MOODS, size=rows))
    pair = np.stack([driver, MOODS + decoration])
    first = draw.integers(2, size=rows)
    columns = np.arange(rows)
    return Sequences.from_lists(
        np.stack([pair[first, columns], pair[1 - first, columns], 2 * MOODS + answer], 1).tolist()
    )


def model(width: int, seed: int, history: int = 2) -> SASRec:
    """An untrained model of all the items."""
    torch.manual_seed(seed)
    config = SASRecConfig(width=width, blocks=1, history=history, dropout=0.0)
    return SASRec(config, Vocabulary(pl.Series(range(ITEMS))))


def train(student, histories, objectives, steps, seed, teacher=None, rate=0.01):
    """Lower the objectives over `histories` for `steps` steps."""
    loss = DistillationLoss(student, objectives, {}, torch.ones(ITEMS), teacher=teacher)
    batches = TrainingBatches(histories, 2, 64, seed)
    optimiser = torch.optim.Adam(student.network.parameters(), rate)
    for step in range(steps):
        torch.manual_seed(1000 * seed + step)
        batch = TorchBatch.of(batches.batch(step // batches.steps, step % batches.steps))
        loss(batch, Moment(step, steps, step // batches.steps, {})).total.backward()
        optimiser.step()
        optimiser.zero_grad()
    student.network.eval()
    return student


def answers(model, histories: Sequences) -> torch.Tensor:
    """log p of the answers among themselves, after each history: `[histories, MOODS]`."""
    batch, order = pack(histories)
    with torch.no_grad():
        table = model.item_table()
        states = model.encode(TorchBatch.of(batch), table)[torch.from_numpy(batch.ends)]
    found = torch.empty(len(order), MOODS)
    found[torch.from_numpy(order)] = torch.log_softmax(states @ table[2 * MOODS :].T, 1)
    return found


def experiments() -> tuple[Sequences, Sequences, torch.Tensor, torch.Tensor]:
    """Every history, each again with one of its events replaced, the true effects, and whether decoration was."""
    truth = torch.full((MOODS, MOODS), (1 - SURE) / MOODS)
    truth.fill_diagonal_(SURE + (1 - SURE) / MOODS)
    given, other, effect, spurious = [], [], [], []
    for driver in range(MOODS):
        for decoration in range(MOODS):
            for shift in range(1, MOODS):
                for swapped in (False, True):
                    for driver_first in (False, True):
                        new = (driver, (decoration + shift) % MOODS)
                        new = new if swapped else ((driver + shift) % MOODS, decoration)
                        order = slice(None) if driver_first else slice(None, None, -1)
                        given.append([driver, MOODS + decoration][order])
                        other.append([new[0], MOODS + new[1]][order])
                        effect.append(truth[driver].log() - truth[new[0]].log())
                        spurious.append(swapped)
    worlds = Sequences.from_lists(given), Sequences.from_lists(other)
    return (*worlds, torch.stack(effect), torch.tensor(spurious))


def errors(model) -> dict[str, float]:
    """Root mean squared error of the effects that `model` believes in: of drivers, and of decoration."""
    given, other, effect, spurious = experiments()
    wrong = (answers(model, given) - answers(model, other) - effect).square()
    return {
        "driver": wrong[~spurious].mean().sqrt().item(),
        "decoration": wrong[spurious].mean().sqrt().item(),
        "both": wrong.mean().sqrt().item(),
    }
