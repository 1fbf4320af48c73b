"""Models on disk: a folder of three files, each whole or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from recdistill.data.columns import ITEM
from recdistill.data.tables import write_parquet
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import CheckpointError, RecDistillError, StorageError
from recdistill.files import atomic_folder, file_sha256, read_json, write_json
from recdistill.models.recommender import Recommender
from recdistill.models.registry import model_class, settings

_FORMAT = 1
_CONFIG, _WEIGHTS, _VOCABULARY = "config.json", "model.safetensors", "vocabulary.parquet"


def save(model: Recommender, folder: Path) -> None:
    """Write `config.json`, `model.safetensors` and `vocabulary.parquet`, all or nothing.

    Raises:
        StorageError: the disk refused a write; a model that was there before is unharmed.
    """
    with atomic_folder(folder) as staging:
        weights = {
            name: values.detach().cpu().contiguous()
            for name, values in model.network.state_dict().items()
        }
        _write_weights(weights, staging / _WEIGHTS, folder)
        write_parquet(pl.DataFrame({ITEM: model.vocabulary.ids}), staging / _VOCABULARY)
        sums = {name: file_sha256(staging / name) for name in (_WEIGHTS, _VOCABULARY)}
        write_json(
            staging / _CONFIG, {"format": _FORMAT, "model": model.get_config(), "sha256": sums}
        )


def _write_weights(weights: dict[str, Tensor], path: Path, folder: Path) -> None:
    try:
        save_file(weights, path)
    except SafetensorError as error:  # which is no OSError, even when the disk is full
        raise StorageError(
            f"Cannot write the model {folder}: {error}.",
            "Free some space and run again; what was there before is unchanged.",
        ) from error


def load(folder: Path) -> Recommender:
    """Read a model of any kind back.

    Raises:
        CheckpointError: a file is missing, damaged, or of a newer format.
    """
    try:
        return _read(folder, read_json(folder / _CONFIG))
    except CheckpointError:
        raise
    except FileNotFoundError as error:
        raise CheckpointError(
            f"There is no whole model in {folder}: {Path(error.filename or _CONFIG).name} is missing.",
            "Give the folder that `save` wrote.",
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError, RecDistillError) as error:
        raise CheckpointError(
            f"The model in {folder} cannot be read: {error}", "Save or train it again."
        ) from error


def _read(folder: Path, record: dict[str, Any]) -> Recommender:
    if record["format"] != _FORMAT:
        raise CheckpointError(
            f"The model in {folder} has format {record['format']}; this version reads {_FORMAT}.",
            "Update recdistill, or save the model again with this version.",
        )
    for name, expected in record["sha256"].items():
        if file_sha256(folder / name) != expected:
            raise CheckpointError(
                f"{folder / name} is damaged: its SHA-256 is not the one in {_CONFIG}.",
                "Restore the file from a copy, or save the model again.",
            )
    kind = model_class(record["model"]["kind"])
    vocabulary = Vocabulary(pl.read_parquet(folder / _VOCABULARY)[ITEM])
    model = kind(settings(kind, record["model"]), vocabulary)
    model.network.load_state_dict(load_file(folder / _WEIGHTS))
    model.network.eval()
    return model
