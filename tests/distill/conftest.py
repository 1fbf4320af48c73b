"""What the oracle says of the tiny dataset, and a small student with a batch to learn from."""

from __future__ import annotations

import pytest
import torch
from spoken import speak

from recdistill.data.batches import TrainingBatches
from recdistill.models.sasrec import SASRec
from recdistill.training.step import TorchBatch


@pytest.fixture(scope="session")
def signals(tiny_dataset, tmp_path_factory):
    return speak(tmp_path_factory.mktemp("signals"), tiny_dataset)


@pytest.fixture
def student(tiny_dataset):
    model = SASRec.for_dataset(tiny_dataset, width=8, blocks=1, history=10, dropout=0.0)
    torch.manual_seed(1)
    with torch.no_grad():
        model.network.items.vectors.normal_(std=0.5)
    return model


@pytest.fixture(scope="module")
def batch(tiny_dataset):
    return TorchBatch.of(TrainingBatches(tiny_dataset.train.histories, 10, 16, 0).batch(0, 0))
