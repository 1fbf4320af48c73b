"""A program that raises trainings and kills them: `python nursery.py FOLDER random|each OPTIONS`.

Torch is imported once; every training is a forked process of its own and dies by a real SIGKILL. It prints
a JSON object for each process: how it ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import nn

from recdistill import files
from recdistill.data.batches import TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.training.options import AdamW, RunOptions, TrainingConfig, WarmupCosine
from recdistill.training.step import StepLoss
from recdistill.training.trainer import Trainer

ITEMS, USERS, HISTORY = 30, 50, 12


class CrossEntropy(nn.Module):
    """Next-item cross-entropy whose temperature is learned: a loss with a parameter of its own."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.network = model.network
        self.sharpness = nn.Parameter(torch.ones(()))

    def forward(self, batch, moment):
        states = self.model.encode(batch)
        logits = states @ self.model.item_table().T * self.sharpness
        noise = torch.rand(()) * moment.progress * 1e-3
        loss = nn.functional.cross_entropy(logits, batch.targets) * (1 + noise)
        return StepLoss(loss, {"next-item": loss.detach()}, len(batch))


def histories():
    random = np.random.default_rng(7)
    rows = []
    for _ in range(USERS):
        first = random.integers(ITEMS)
        steps = random.choice([1, 1, 1, 2, 5], size=random.integers(2, 30))
        rows.append(((first + np.cumsum(steps)) % ITEMS).tolist())
    return Sequences.from_lists(rows)


def train(folder: Path, epochs: int = 5) -> None:
    config = SASRecConfig(width=16, blocks=1, history=HISTORY, dropout=0.3)
    torch.manual_seed(0)
    model = SASRec(config, Vocabulary(pl.Series(range(ITEMS))))
    batches = TrainingBatches(histories(), HISTORY, batch_size=8, seed=3)
    loss = CrossEntropy(model)
    cases = histories()

    def measure():
        table = model.item_table()
        scores = model.states(cases) @ table.T
        return float(scores.softmax(1).max(1).values.mean())

    training = TrainingConfig(
        epochs=epochs,
        optimizer=AdamW(learning_rate=0.02),
        accumulate=2,
        clip_norm=0.5,
        rate=WarmupCosine(kind="cosine", warmup_steps=5),
        patience=None,
    )
    run = RunOptions(
        seed=1, device="cpu", threads=1, folder=folder, checkpoint_seconds=0, trackers=()
    )
    log = Trainer(training, run).fit(model.network, batches, loss, measure)
    curve = [(epoch.losses, epoch.validation, epoch.positions) for epoch in log.epochs]
    result = {"weights": digest(model.network, loss), "curve": curve, "best": log.best_epoch}
    files.write_json(folder / "result.json", result)


def digest(*modules: nn.Module) -> str:
    total = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            total.update(name.encode() + tensor.numpy().tobytes())
    return total.hexdigest()


def die_at_call(number: int) -> None:
    """Kill this process at call `number` of the calls that make writes last or visible."""
    seen = 0

    def deadly(call):
        def counted(*args, **kwargs):
            nonlocal seen
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return counted

    os.fsync, os.replace, os.rename, os.mkdir, os.rmdir, os.unlink = map(
        deadly, (os.fsync, os.replace, os.rename, os.mkdir, os.rmdir, os.unlink)
    )


def raise_one(folder: Path, seconds: float | None, call: int | None) -> dict:
    """Fork a training; kill it after `seconds`, or let it kill itself at a system call."""
    child = os.fork()
    if not child:
        torch.set_num_threads(1)
        if call is not None:
            die_at_call(call)
        try:
            train(folder)
        except BaseException as error:  # the parent must hear of it
            print(json.dumps({"error": repr(error)}), flush=True)
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    steps = sorted(path.name for path in (folder / "checkpoints").glob("step-*"))
    return {"code": code, "seconds": seconds, "call": call, "checkpoints": steps}


def kill_at_random(folder: Path, seed: int, kills: int, seconds: float, calls: int) -> None:
    """A chain of processes in one folder, each killed by the clock or at a call; the last one lives."""
    random = np.random.default_rng(seed)
    for number in range(kills):
        if number % 2:
            tell(raise_one(folder / "killed", None, int(random.integers(1, calls))))
        else:
            tell(raise_one(folder / "killed", float(random.uniform(0.02, seconds)), None))
    tell(raise_one(folder / "killed", None, None))


def kill_at_each_call(folder: Path, calls: int) -> None:
    """For every call a folder of its own: a process killed there, and one that goes on."""
    for call in range(1, calls + 1):
        tell(raise_one(folder / str(call), None, call))
        tell(raise_one(folder / str(call), None, None))


def tell(ending: dict) -> None:
    print(json.dumps(ending), flush=True)


if __name__ == "__main__":
    tell(raise_one(Path(sys.argv[1]) / "uninterrupted", None, None))
    manner = {"random": kill_at_random, "each": kill_at_each_call}[sys.argv[2]]
    manner(Path(sys.argv[1]), **json.loads(sys.argv[3]))
