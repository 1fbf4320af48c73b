"""How much of a student may stay for it to answer soon enough: measured once, on models of that shape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recdistill.bundle.export import opened
from recdistill.bundle.timing import latencies
from recdistill.compression.settings import Timed
from recdistill.compression.sizing import at_share, last
from recdistill.data.sequences import Sequences
from recdistill.distill.reductions import Reduction
from recdistill.errors import ConfigError
from recdistill.files import read_json, write_json
from recdistill.models.sasrec import SASRec, SASRecConfig
from recdistill.pipeline.pipeline import stage_key
from recdistill.pipeline.stages import Stage

if TYPE_CHECKING:
    from recdistill.pipeline.pipeline import Pipeline

STEPS = 16
"""Shares are tried in sixteenths: a clock tells no finer ones apart."""
REQUESTS = 300


def share_in_time(pipeline: Pipeline, name: str, reduction: Reduction) -> float | None:
    """The greatest share of its parts with which a smaller student is within its time; `None` where no time is asked.

    Raises:
        ConfigError: the student has no such parts, or is too slow with the least of them.
    """
    wanted = reduction.prune
    if not isinstance(wanted, Timed):
        return None
    config = pipeline.config.student
    if not isinstance(config, SASRecConfig):
        raise ConfigError(
            f"'{name}' cannot be pruned to a time: parts are taken out of a SASRec, and this student is none.",
            "Fewer `layers` make a decoder quicker.",
        )
    key = stage_key(
        pipeline.dataset.fingerprint, config.model_dump(mode="json"), wanted.model_dump(mode="json")
    )

    def measure(folder: Path) -> None:
        tried: dict[float, float] = {}

        def fits(share: float) -> bool:
            tried[share] = _beside_whole(pipeline, at_share(config, wanted.parts, share))
            return tried[share] <= wanted.latency

        found = last([step / STEPS for step in range(1, STEPS)], fits)
        if found is None:
            raise _too_slow(name, wanted, tried)
        write_json(folder / "share.json", {"share": found, "tried": sorted(tried.items())})

    outcome = pipeline.stage(Stage(f"shapes/{name}", key, measure))
    return float(read_json(outcome.folder / "share.json")["share"])


def _beside_whole(pipeline: Pipeline, config: SASRecConfig) -> float:
    """The time of a model of this shape, as a share of the unpruned one's; what they have learned takes no time."""
    shapes = {"whole": config.model_copy(update={"pruned": None}), "pruned": config}
    vocabulary = pipeline.dataset.vocabulary
    runtimes = {name: opened(SASRec(one, vocabulary)) for name, one in shapes.items()}
    times = latencies(runtimes, _asked(pipeline), REQUESTS)
    return times["pruned"][0] / times["whole"][0]


def _asked(pipeline: Pipeline) -> Sequences:
    """Histories as they are asked about: those of validation, or where there are none of training."""
    dataset = pipeline.dataset
    return dataset.valid.histories if len(dataset.valid) else dataset.train.histories


def _too_slow(name: str, wanted: Timed, tried: dict[float, float]) -> ConfigError:
    least = min(tried)
    return ConfigError(
        f"'{name}' cannot get to {wanted.latency:g} of the time: with {least:.3g} of its "
        f"{' and '.join(wanted.parts)} a student still took {tried[least]:.3g} of it here.",
        "Allow more, or add to `parts`: width, units, heads, blocks.",
    )
