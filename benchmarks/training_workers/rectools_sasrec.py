"""RecTools' SASRec in its own training loop (PyTorch Lightning), held still between turns.

Usage: rectools_sasrec.py HISTORIES.npz HISTORY BATCH WIDTH BLOCKS DROPOUT THREADS
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from pace import Pace
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

warnings.filterwarnings("ignore")


class Turns(Callback):
    def __init__(self) -> None:
        self.pace = Pace()

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int
    ) -> None:
        self.pace.step_done(int((batch["y"] != 0).sum()))


def trainer() -> Trainer:
    return Trainer(
        max_epochs=10_000,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[Turns()],
    )


def log(path: str) -> Dataset:
    stored = np.load(path)
    lengths = np.diff(stored["offsets"])
    place = np.arange(len(stored["values"])) - np.repeat(stored["offsets"][:-1], lengths)
    frame = pd.DataFrame(
        {
            Columns.User: np.repeat(np.arange(len(lengths)), lengths),
            Columns.Item: stored["values"],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.Timestamp("2020-01-01") + pd.to_timedelta(place, unit="s"),
        }
    )
    return Dataset.construct(frame)


def main(
    path: str, history: str, batch: str, width: str, blocks: str, dropout: str, threads: str
) -> None:
    torch.set_num_threads(int(threads))
    SASRecModel(
        n_blocks=int(blocks),
        n_heads=1,
        n_factors=int(width),
        dropout_rate=float(dropout),
        session_max_len=int(history),
        loss="softmax",
        batch_size=int(batch),
        get_trainer_func=trainer,
    ).fit(log(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
