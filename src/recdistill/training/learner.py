"""One update of the weights: the only place where gradients are made and used."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from recdistill.errors import DataError
from recdistill.training.hardware import autocast_type
from recdistill.training.ledger import Ledger
from recdistill.training.optimisers import make_optimizer, rate_factor
from recdistill.training.options import TrainingConfig
from recdistill.training.step import Batches, LossFunction, Moment, TorchBatch


class Learner:
    """Holds the modules and their optimiser, and learns from batches."""

    def __init__(
        self,
        config: TrainingConfig,
        seed: int,
        device: torch.device,
        module: nn.Module,
        batches: Batches,
        loss: LossFunction,
    ) -> None:
        """Moves `module`, and `loss` where that is a module too, to `device`.

        Raises:
            DataError: there are no batches.
        """
        if not batches.steps:
            raise DataError(
                "There is nothing to learn from: no training history holds two items.",
                "Lower the k-core, move the split, or bring more data.",
            )
        self.module, self.batches = module, batches
        self._config, self._seed, self._device, self._loss = config, seed, device, loss
        self.parts = nn.ModuleDict({"model": module})
        if isinstance(loss, nn.Module):
            self.parts["loss"] = loss
        self.parts.to(device)
        self._optimizer = make_optimizer(config.optimizer, self.parts)
        self._trained = [part for part in self.parts.parameters() if part.requires_grad]
        self._precision = autocast_type(config, device)
        self.steps = batches.steps * config.epochs

    def update(self, step: int, feedback: Mapping[str, float], ledger: Ledger) -> tuple[int, int]:
        """Learn from the batches from `step` on that make one update; one never spans two epochs.

        Returns:
            How many batches that were, and how many positions.
        """
        an_epoch = self.batches.steps
        batches = min(self._config.accumulate, an_epoch - step % an_epoch)
        positions = 0
        for one in range(step, step + batches):
            positions += self._learn(one, feedback, ledger, weighted=batches > 1)
        if batches > 1:
            for part in self._trained:
                if part.grad is not None:
                    part.grad /= max(1, positions)
        self._apply(step, ledger)
        return batches, positions

    def reseed(self, step: int) -> None:
        """Make the random numbers from here on a function of the seed and `step` alone."""
        torch.manual_seed(
            int(np.random.SeedSequence((self._seed, step)).generate_state(1, np.uint64)[0])
        )

    def _learn(
        self, step: int, feedback: Mapping[str, float], ledger: Ledger, *, weighted: bool
    ) -> int:
        self.reseed(step)
        epoch, within = divmod(step, self.batches.steps)
        batch = TorchBatch.of(self.batches.batch(epoch, within), self._device)
        moment = Moment(step, self.steps, epoch, feedback)
        with torch.autocast(
            self._device.type, self._precision, enabled=self._precision is not None
        ):
            loss = self._loss(batch, moment)
        (loss.total * loss.positions if weighted else loss.total).backward()
        ledger.add(step, {"loss": loss.total.detach(), **loss.terms}, loss.positions)
        return loss.positions

    def _apply(self, step: int, ledger: Ledger) -> None:
        config, an_epoch = self._config, self.batches.steps
        if config.clip_norm is not None:
            norm = nn.utils.clip_grad_norm_(self._trained, config.clip_norm)
            ledger.add(step, {"gradient_norm": norm}, 1)
        updates = -(-an_epoch // config.accumulate)
        update = step // an_epoch * updates + step % an_epoch // config.accumulate
        rate = rate_factor(config.rate, update, updates * config.epochs)
        for group in self._optimizer.param_groups:
            group["lr"] = config.optimizer.learning_rate * rate
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    @property
    def learning_rate(self) -> float:
        """Of the last update."""
        return self._optimizer.param_groups[0]["lr"]

    def weights(self) -> dict[str, Tensor]:
        """Every parameter and every buffer that is kept, once, under its first name."""
        kept = self.parts.state_dict().keys()
        named = {**dict(self.parts.named_parameters()), **dict(self.parts.named_buffers())}
        return {name: tensor.detach() for name, tensor in named.items() if name in kept}

    def moments(self) -> dict[str, Tensor]:
        """What the optimiser remembers, as `parameter:key`."""
        return {
            f"{name}:{key}": value
            for name, parameter in self.parts.named_parameters()
            for key, value in self._optimizer.state.get(parameter, {}).items()
        }

    @torch.no_grad()
    def restore(
        self, weights: Mapping[str, Tensor], moments: Mapping[str, Tensor] | None = None
    ) -> None:
        """Go back to what `weights` (and `moments`) told of; weights that are not named stay."""
        own = self.weights()
        for name, value in weights.items():
            own[name].copy_(value)
        parameters = dict(self.parts.named_parameters())
        for name, value in (moments or {}).items():
            name, _, key = name.rpartition(":")
            self._optimizer.state[parameters[name]][key] = value.to(self._device)
