"""Fitting: what is learned, by which loss, and on which catalogue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from recdistill.data.batches import TrainingBatches
from recdistill.data.dataset import Cases, Dataset
from recdistill.data.sequences import Sequences
from recdistill.errors import DataError
from recdistill.models.fitting import NextItemLoss
from recdistill.models.losses import SampledSoftmax, Sampler, Softmax
from recdistill.models.popularity import Popularity
from recdistill.models.sasrec import SASRec
from recdistill.models.validation import validation
from recdistill.training.options import AdamW, RunOptions, TrainingConfig
from recdistill.training.step import Moment, TorchBatch

MOMENT = Moment(step=0, steps=1, epoch=0, feedback={})


def a_batch(dataset: Dataset) -> TorchBatch:
    return TorchBatch.of(TrainingBatches(dataset.train.histories, 12, 8, 0).batch(0, 0))


@pytest.fixture
def model(tiny_dataset: Dataset) -> SASRec:
    return SASRec.for_dataset(tiny_dataset, width=8, history=12, dropout=0.0)


def test_the_loss_is_the_mean_over_known_positions(model: SASRec, tiny_dataset: Dataset) -> None:
    batch = a_batch(tiny_dataset)
    batch.targets[::3] = -1
    found = NextItemLoss(model, Softmax(), Sampler(torch.ones(40), 0.0))(batch, MOMENT)
    logits = model.encode(batch) @ model.item_table().T
    expected = F.cross_entropy(logits, batch.targets, ignore_index=-1)
    torch.testing.assert_close(found.total, expected)
    torch.testing.assert_close(found.terms["next-item"], expected.detach())
    assert found.positions == int((batch.targets >= 0).sum())


def test_nothing_known_costs_nothing(model: SASRec, tiny_dataset: Dataset) -> None:
    batch = a_batch(tiny_dataset)
    batch.targets[:] = -1
    found = NextItemLoss(model, Softmax(), Sampler(torch.ones(40), 0.0))(batch, MOMENT)
    assert float(found.total.detach()) == 0
    assert found.positions == 0


def test_many_samples_come_near_the_full_loss(model: SASRec, tiny_dataset: Dataset) -> None:
    torch.manual_seed(0)
    batch, sampler = a_batch(tiny_dataset), Sampler(torch.arange(40.0), 0.5)
    full = NextItemLoss(model, Softmax(), sampler)(batch, MOMENT).total
    sampled = NextItemLoss(model, SampledSoftmax(negatives=50_000), sampler)(batch, MOMENT).total
    torch.testing.assert_close(sampled, full, rtol=0.01, atol=0)


@pytest.mark.parametrize(
    "loss", [{"kind": "softmax"}, {"kind": "sampled-softmax", "negatives": 20}]
)
def test_what_follows_is_learned(tiny_dataset: Dataset, loss: dict[str, object]) -> None:
    """In the tiny log, film i + 5 tends to follow film i."""
    training = TrainingConfig(epochs=12, batch_size=16, optimizer=AdamW(learning_rate=0.01))
    model = SASRec.for_dataset(tiny_dataset, width=16, history=10, loss=loss)
    model.fit(tiny_dataset, training, RunOptions(trackers=()))
    measure = validation(model, tiny_dataset)
    floor = validation(Popularity.for_dataset(tiny_dataset).fit(tiny_dataset), tiny_dataset)
    assert measure is not None
    assert floor is not None
    assert measure() > floor() + 0.1
    after = model.recommend([["i0002"], ["i0011"]], k=3)["item_id"].to_list()
    assert "i0007" in after[:3]
    assert "i0016" in after[3:]


def test_fitting_is_a_function_of_the_seeds(tiny_dataset: Dataset) -> None:
    training = TrainingConfig(epochs=2, batch_size=16)

    def weights(seed: int) -> torch.Tensor:
        model = SASRec.for_dataset(tiny_dataset, width=8, history=10)
        model.fit(tiny_dataset, training, RunOptions(seed=seed, trackers=()))
        return model.item_table().detach()

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_another_catalogue_is_refused(
    model: SASRec, make_dataset: Callable[..., Dataset], tmp_path: Path
) -> None:
    other = make_dataset(tmp_path, users=30, items=20, events=400)
    with pytest.raises(DataError, match="not those of 'tiny'"):
        model.fit(other)


def test_validation_needs_cases(model: SASRec, tiny_dataset: Dataset) -> None:
    none = Sequences.from_lists([])
    empty = Cases(np.empty(0, np.int32), none, none)
    bare = type(tiny_dataset)(
        **{
            **{name: getattr(tiny_dataset, name) for name in tiny_dataset.__dataclass_fields__},
            "valid": empty,
        }
    )
    assert validation(model, bare) is None
