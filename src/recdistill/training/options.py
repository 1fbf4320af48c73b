"""Hyper-parameters of training, and the circumstances of a run: two different things.

`TrainingConfig` belongs to the result (it is hashed, stored, reported); `RunOptions` belongs to the
machine (device, threads, where checkpoints go) and must not change the result beyond rounding,
except the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from recdistill.data.batches import Windows
from recdistill.settings import Settings

if TYPE_CHECKING:
    from recdistill.data.hearsay.leaks import Guard
    from recdistill.progress import Progress
    from recdistill.training.trackers import Tracker

TrackerName = Literal["tensorboard", "wandb", "mlflow"]


class AdamW(Settings):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.0
    betas: tuple[float, float] = (0.9, 0.98)
    """Decay of the first and second moments; 0.98 follows SASRec (Kang & McAuley 2018)."""


class WarmupCosine(Settings):
    """Linear warm-up, then half a cosine down to `floor` of the peak, or the peak throughout."""

    kind: Literal["cosine", "constant"] = "constant"
    warmup_steps: NonNegativeInt = 0
    floor: float = Field(default=0.0, ge=0, le=1)


class TrainingConfig(Settings):
    """How a module is trained."""

    epochs: PositiveInt = 60
    batch_size: PositiveInt = 256
    """Histories a step."""
    windows: Windows = "all"
    """Of a history longer than the student sees: all windows, or only the `last`, where the older ones
    no longer tell what comes next (or never told: see `movielens-1m`)."""
    optimizer: AdamW = AdamW()
    rate: WarmupCosine = WarmupCosine()
    clip_norm: PositiveFloat | None = 5.0
    accumulate: PositiveInt = 1
    """Batches of an update; their gradients are averaged over all their positions."""
    patience: PositiveInt | None = 8
    """Validations without improvement before stopping; `None` never stops early."""
    validate_every: PositiveInt = 1
    """Epochs between validations."""
    metric: Literal["ndcg@10", "rating", "like"] = "ndcg@10"
    """What validations measure: the ranking, or how well a head of the model tells an outcome (−RMSE of ratings,
    −log-loss of likes)."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` takes bfloat16 only where the hardware multiplies it natively."""


@dataclass(frozen=True)
class RunOptions:
    """Where and how a run happens.

    Attributes:
        seed: of initialisation, order and dropout.
        device: `cpu`, `cuda`, `cuda:1`…; `None` takes a GPU when there is one.
        threads: of torch; `None` leaves torch's choice.
        folder: where checkpoints and logs go; `None` keeps neither.
        checkpoint_seconds: least time between two checkpoints within an epoch.
        trackers: receivers of scalars besides the JSON lines that every folder gets; those given by
            name write below `folder`, and not at all without one.
        progress: what a person sees.
        name: how progress and trackers call this training.
        guard: keeps what is held out for the test from teachers that hear what others said.
    """

    seed: int = 0
    device: str | None = None
    threads: int | None = None
    folder: Path | None = None
    checkpoint_seconds: float = 30.0
    trackers: tuple[Tracker | TrackerName, ...] = ("tensorboard",)
    progress: Progress | None = None
    name: str = "training"
    guard: Guard | None = None

    def part(self, name: str) -> RunOptions:
        """A training of its own within this one, with a folder of its own."""
        folder = self.folder and self.folder / name
        return replace(self, folder=folder, name=f"{self.name}, {name}")
