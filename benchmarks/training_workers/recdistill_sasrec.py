"""Our SASRec in our training loop, held still between turns; alone, or with a stored teacher's top 100.

Usage: recdistill_sasrec.py HISTORIES.npz HISTORY BATCH WIDTH BLOCKS DROPOUT THREADS [TEMPERATURE]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import torch
from pace import Pace

from recdistill.data.batches import TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.distill.lookup import Lookup
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import KL, NextItem
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.signals.kinds import TopK
from recdistill.signals.manifest import DatasetIdentity, SignalManifest, TeacherIdentity
from recdistill.signals.reader import SignalReader
from recdistill.signals.writer import SignalWriter
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.step import LossFunction, Moment, StepLoss, TorchBatch
from recdistill.training.trainer import Trainer


class Paced:
    """A loss that tells the pace, when it is called again, that the step before is done."""

    def __init__(self, loss: LossFunction) -> None:
        self._loss, self._pace, self._before = loss, Pace(warm_up=4), 0

    def __call__(self, batch: TorchBatch, moment: Moment) -> StepLoss:
        if self._before:
            self._pace.step_done(self._before)
        loss = self._loss(batch, moment)
        self._before = loss.positions
        return loss


def stored_signal(folder: Path, events: int, items: int) -> Lookup:
    """What a teacher that knows nothing says about each training event, kept like any teacher's."""
    random, kind = np.random.default_rng(0), TopK(k=100)
    manifest = SignalManifest(
        kind=kind,
        teacher=TeacherIdentity(kind="random", name="random", revision="0", settings={}),
        dataset=DatasetIdentity(name="benchmark", fingerprint="0"),
        fields=kind.fields(items, 0),
    )
    keys = np.arange(events, dtype=np.uint64)
    writer = SignalWriter.create(folder, manifest)
    for part in np.array_split(keys, max(1, events // 50_000)):
        columns = {
            "items": random.integers(items, size=(len(part), 100), dtype=np.int32),
            "logits": -np.sort(random.exponential(2.0, (len(part), 100)), axis=1).astype(
                np.float16
            ),
            "rest": np.full(len(part), -1.0, dtype=np.float32),
        }
        writer.append(part, columns)
    writer.finish()
    return Lookup("top-k", SignalReader.open(folder), keys)


def main(
    path: str,
    history: str,
    batch: str,
    width: str,
    blocks: str,
    dropout: str,
    threads: str,
    *temperature: str,
) -> None:
    stored = np.load(path)
    items = int(stored["items"])
    config = SASRecConfig(
        width=int(width),
        blocks=int(blocks),
        history=int(history),
        dropout=float(dropout),
        widening=1,
    )
    model = SASRec(config, Vocabulary(pl.Series(range(items))))
    histories = Sequences.from_offsets(stored["values"], stored["offsets"])
    batches = TrainingBatches(histories, int(history), int(batch), seed=0, windows="last")
    popularity = torch.from_numpy(np.bincount(stored["values"], minlength=items)).float()
    with tempfile.TemporaryDirectory() as folder:
        objectives, lookups = [NextItem()], {}
        if temperature:
            objectives.append(KL(temperature=float(temperature[0])))
            lookups["top-k"] = stored_signal(Path(folder), len(stored["values"]), items)
        loss = Paced(DistillationLoss(model, objectives, lookups, popularity))
        run = RunOptions(threads=int(threads), device="cpu", trackers=())
        Trainer(TrainingConfig(epochs=10_000, patience=None), run).fit(model.network, batches, loss)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[7]))
    main(*sys.argv[1:])
