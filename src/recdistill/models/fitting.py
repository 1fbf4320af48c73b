"""How a sequence model learns on its own: the next item at every position."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from recdistill.data.batches import TrainingBatches
from recdistill.data.dataset import Dataset
from recdistill.errors import DataError
from recdistill.models.logits import Logits, chunked
from recdistill.models.losses import LossConfig, SampledSoftmax, Sampler, sampled_softmax, softmax
from recdistill.models.recommender import SequenceModel
from recdistill.models.validation import validation
from recdistill.training.log import TrainingLog
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.step import Moment, StepLoss, TorchBatch
from recdistill.training.trainer import Trainer

PartLosses = Callable[[Logits, slice], Tensor]
"""The losses of the positions in a slice of the batch."""


class NextItemLoss:
    """Mean loss of the next item over the positions of a batch where it is known."""

    def __init__(self, model: SequenceModel, config: LossConfig, sampler: Sampler) -> None:
        self._model, self._config, self._sampler = model, config, sampler

    def __call__(self, batch: TorchBatch, moment: Moment) -> StepLoss:
        """The loss of `batch`; the same at every moment."""
        table = self._model.item_table()
        states, targets = _known(self._model.encode(batch, table), batch.targets)
        count = max(len(targets), 1)
        losses = self._losses(targets)
        total, terms = chunked(
            states,
            table,
            lambda logits, part: losses(logits, part).sum()[None] / count,
            dense=not isinstance(self._config, SampledSoftmax),
        )
        return StepLoss(total, {"next-item": terms[0]}, len(targets))

    def _losses(self, targets: Int64[Tensor, " positions"]) -> PartLosses:
        if not isinstance(self._config, SampledSoftmax):
            return lambda logits, part: softmax(logits, targets[part])
        drawn, log_chances = self._sampler.to(targets.device).draw(self._config.negatives)
        return lambda logits, part: sampled_softmax(logits, targets[part], drawn, log_chances)


def fit(
    model: SequenceModel,
    dataset: Dataset,
    loss: LossConfig,
    training: TrainingConfig | None = None,
    run: RunOptions | None = None,
) -> TrainingLog:
    """Train `model` on the training histories of `dataset`; its best validated state stays.

    Raises:
        DataError: the model was made for another catalogue.
    """
    require_same_catalogue(model, dataset)
    training, run = training or TrainingConfig(), run or RunOptions()
    model.dataset = dataset
    counts = np.bincount(dataset.train.items, minlength=dataset.num_items)
    alpha = loss.alpha if isinstance(loss, SampledSoftmax) else 0.0
    objective = NextItemLoss(model, loss, Sampler(torch.from_numpy(counts).float(), alpha))
    batches = TrainingBatches(
        dataset.train.histories, model.history, training.batch_size, run.seed, training.windows
    )
    further = {"model": model.get_config(), "loss": loss.model_dump(mode="json")}
    measure = validation(model, dataset)
    return Trainer(training, run).fit(model.network, batches, objective, measure, further)


def _known(
    states: Float[Tensor, "positions width"], targets: Int64[Tensor, " positions"]
) -> tuple[Float[Tensor, "known width"], Int64[Tensor, " known"]]:
    known = targets >= 0
    return (states, targets) if bool(known.all()) else (states[known], targets[known])


def require_same_catalogue(model: SequenceModel, dataset: Dataset) -> None:
    """Raise `DataError` when `model` was made for another catalogue than that of `dataset`."""
    if not model.vocabulary.ids.equals(dataset.vocabulary.ids):
        raise DataError(
            f"The model knows {len(model.vocabulary)} items, and not those of '{dataset.name}'.",
            "Make a model for this dataset with for_dataset or from_config.",
        )
