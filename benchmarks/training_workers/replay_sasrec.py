"""RePlay's SASRec in its own training loop (PyTorch Lightning), held still between turns.

Its batches are made ahead by a plain data loader, which costs it less than its own.

Usage: replay_sasrec.py HISTORIES.npz HISTORY BATCH WIDTH BLOCKS DROPOUT THREADS
"""

from __future__ import annotations

import sys
import warnings
from itertools import pairwise
from typing import Any

import lightning
import numpy as np
import torch
from pace import Pace
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.nn.lightning import LightningModule
from replay.nn.sequential import SasRec
from torch.utils.data import DataLoader

warnings.filterwarnings("ignore")


class Turns(lightning.Callback):
    def __init__(self) -> None:
        self.pace = Pace()

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int
    ) -> None:
        self.pace.step_done(int(batch["target_padding_mask"].sum()))


def schema(items: int, width: int) -> TensorSchema:
    return TensorSchema(
        [
            TensorFeatureInfo(
                "item_id",
                is_seq=True,
                feature_type=FeatureType.CATEGORICAL,
                embedding_dim=width,
                padding_value=items,
                cardinality=items,
                feature_hint=FeatureHint.ITEM_ID,
                feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
            )
        ]
    )


def padded(path: str, history: int) -> tuple[torch.Tensor, int]:
    """Each user's last `history + 1` items, padded on the left."""
    stored = np.load(path)
    items, offsets = int(stored["items"]), stored["offsets"]
    table = np.full((len(offsets) - 1, history + 1), items, dtype=np.int64)
    for user, (start, stop) in enumerate(pairwise(offsets)):
        latest = stored["values"][max(start, stop - history - 1) : stop]
        table[user, history + 1 - len(latest) :] = latest
    return torch.from_numpy(table), items


def main(
    path: str, history: str, batch: str, width: str, blocks: str, dropout: str, threads: str
) -> None:
    torch.set_num_threads(int(threads))
    table, items = padded(path, int(history))

    def collate(rows: list[torch.Tensor]) -> dict[str, Any]:
        chosen = torch.stack(rows)
        inputs, targets = chosen[:, :-1].contiguous(), chosen[:, 1:].contiguous()
        return {
            "feature_tensors": {"item_id": inputs},
            "padding_mask": inputs != items,
            "positive_labels": targets[:, :, None],
            # A target counts where something comes before it, as in the others.
            "target_padding_mask": ((targets != items) & (inputs != items))[:, :, None],
            "negative_labels": None,
        }

    model = SasRec.from_params(
        schema(items, int(width)),
        embedding_dim=int(width),
        num_heads=1,
        num_blocks=int(blocks),
        max_sequence_length=int(history),
        dropout=float(dropout),
    )
    lightning.Trainer(
        max_epochs=10_000,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[Turns()],
    ).fit(LightningModule(model), DataLoader(table, int(batch), shuffle=True, collate_fn=collate))


if __name__ == "__main__":
    main(*sys.argv[1:])
