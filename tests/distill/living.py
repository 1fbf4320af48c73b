"""A program that trains with live terms and is killed: `python living.py FOLDER CALL…`.

Torch is imported once; every training is a forked process of its own, killed for good when its loss is called for the
CALLth time (0: never). The last line is a hash of everything learned, what lies beside the student included.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path

import numpy as np
import polars as pl
import torch

from recdistill.data.batches import TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.phases import Terms
from recdistill.files import write_json
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.training.options import AdamW, RunOptions, TrainingConfig
from recdistill.training.trainer import Trainer

ITEMS = 20
TERMS = Terms.model_validate(
    {
        "objectives": [
            {"kind": "next-item"},
            {"kind": "kl", "of": {"kind": "average", "decay": 0.9, "k": 5}, "head": "auxiliary"},
            {"kind": "kl", "name": "early", "of": "itself", "head": "exit"},
            {"kind": "hint", "layers": "spread"},
            {"kind": "hint", "name": "mean-hint", "of": {"kind": "average", "decay": 0.9}},
            {"kind": "attention-map", "weight": {"kind": "linear", "from": 0.0, "to": 1.0}},
            {"kind": "value-relation"},
            {"kind": "kl", "name": "mutual", "of": {"kind": "peer", "weight": 0.5}},
            {"kind": "input-gradient", "rows": 3, "sample": 5},
        ],
        "weighting": {"kind": "uncertainty"},
    }
)


def made(seed: int, width: int, blocks: int) -> SASRec:
    torch.manual_seed(seed)
    config = SASRecConfig(width=width, blocks=blocks, heads=2, history=8, dropout=0.3)
    return SASRec(config, Vocabulary(pl.Series(range(ITEMS))))


def train(folder: Path, deadly: int) -> None:
    random = np.random.default_rng(7)
    rows = [random.integers(ITEMS, size=random.integers(3, 20)).tolist() for _ in range(40)]
    student, teacher = made(0, 8, 2), made(1, 12, 3)
    torch.manual_seed(2)
    loss = DistillationLoss(
        student, TERMS.objectives, {}, torch.ones(ITEMS), TERMS.weighting, teacher
    )
    forward, calls = loss.forward, 0

    def counted(*given):
        nonlocal calls
        calls += 1
        if calls == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return forward(*given)

    loss.forward = counted
    training = TrainingConfig(
        epochs=2, batch_size=8, optimizer=AdamW(learning_rate=0.01), patience=None
    )
    run = RunOptions(
        seed=1, device="cpu", threads=1, folder=folder, checkpoint_seconds=0, trackers=()
    )
    batches = TrainingBatches(Sequences.from_lists(rows), 8, batch_size=8, seed=3)
    log = Trainer(training, run).fit(student.network, batches, loss)
    total = hashlib.sha256()
    for module in (student.network, loss):
        for name, tensor in sorted(module.state_dict().items()):
            total.update(name.encode() + tensor.numpy().tobytes())
    losses = {name: value for epoch in log.epochs for name, value in epoch.losses.items()}
    write_json(
        folder / "result.json", {"weights": total.hexdigest(), "losses": losses, "calls": calls}
    )


def raise_one(folder: Path, deadly: int) -> int:
    """Fork a training; how it ended."""
    child = os.fork()
    if not child:
        torch.set_num_threads(1)
        train(folder, deadly)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    home = Path(sys.argv[1])
    home.mkdir()
    print(*(raise_one(home, int(call)) for call in sys.argv[2:]))
