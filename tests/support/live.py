"""Two small sequence models in float64 and a batch to look at: what the tests of live terms share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import torch

from recdistill.data.batches import pack
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.distill.output import Output
from recdistill.models.internals import Anatomy
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.training.step import TorchBatch

ITEMS = 12
ROWS = [[3, 1, 4, 1, 5], [9], [2, 6, 5], [8, 9, 7], [0, 11]]


def model(seed=0, dtype=torch.float64, **config) -> SASRec:
    """A model that is not trained, whose weights are large enough to say something; asleep (`eval`)."""
    settings = {"width": 8, "blocks": 2, "heads": 2, "history": 6, "dropout": 0.0, **config}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = SASRec(SASRecConfig.model_validate(settings), Vocabulary(pl.Series(range(ITEMS))))
        with torch.no_grad():
            for value in made.network.parameters():
                value.add_(torch.randn_like(value) * 0.3)
    made.network.to(dtype).eval()
    return made


def batch_of(rows=ROWS, seed=0) -> TorchBatch:
    """Histories end to end, each position with a next item; every fifth is unknown."""
    packed, _ = pack(Sequences.from_lists(rows))
    targets = np.random.default_rng(seed).integers(ITEMS, size=len(packed))
    targets[4::5] = -1
    return TorchBatch.of(replace(packed, targets=targets))


def outputs(student, teacher, batch=None, *, watch=True) -> tuple[Output, Output]:
    """What both say; the teacher's as it reaches an objective."""
    batch = batch_of() if batch is None else batch
    own = Output.of(student, batch, watch=watch)
    return own, Output.of(teacher, batch, watch=watch).detached()


def bridge_of(objective, student, teacher):
    """What the objective learns, as it begins; models that it cannot bridge are refused."""
    sides = Anatomy.of(student.network), Anatomy.of(teacher.network)
    objective.fit(*sides)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return objective.bridge(*sides).double()


def losses(objective, student, teacher, bridge=None, batch=None, seed=0):
    """The loss of each position; whatever is random is drawn from `seed`."""
    bridge = bridge or bridge_of(objective, student, teacher)
    sides = outputs(student, teacher, batch, watch=objective.watches)
    torch.manual_seed(seed)
    return objective(*sides, bridge, objective.knobs(0.0, {}))


def check_gradients(objective, student, teacher):
    """The gradient along some directions in the space of all weights, against finite differences."""
    bridge = bridge_of(objective, student, teacher)
    weights = [*student.network.parameters(), *bridge.parameters()]
    loss = losses(objective, student, teacher, bridge).sum()
    found = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        ways = [torch.randn(w.shape, generator=generator, dtype=torch.float64) for w in weights]
        step, sides = 1e-6, []
        for sign in (1, -2, 1):  # there, to the other side, and back
            with torch.no_grad():
                for weight, way in zip(weights, ways, strict=True):
                    weight += sign * step * way
            sides.append(losses(objective, student, teacher, bridge).sum().detach())
        slope = sum((grad * way).sum() for grad, way in zip(found, ways, strict=True))
        assert slope.abs() > 1e-3
        torch.testing.assert_close(slope, (sides[0] - sides[1]) / (2 * step), rtol=1e-5, atol=1e-7)


def check_each_history_alone(objective, student, teacher, rows=ROWS):
    """What is packed beside a history does not matter to it."""
    bridge = bridge_of(objective, student, teacher)
    together = losses(objective, student, teacher, bridge, batch_of(rows))
    ordered = sorted(rows, key=len)
    alone = [losses(objective, student, teacher, bridge, batch_of([row])) for row in ordered]
    torch.testing.assert_close(together, torch.cat(alone))
