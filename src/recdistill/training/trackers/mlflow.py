"""Scalars for MLflow; without `MLFLOW_TRACKING_URI` they stay below the run's folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from recdistill.errors import MissingExtraError
from recdistill.files import write_text


class MLflow:
    """One MLflow run a training; an interrupted one goes on under the id in `mlflow-run-id`."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises `MissingExtraError` when MLflow is not installed."""
        try:
            self._mlflow = import_module("mlflow")
        except ImportError as error:
            raise MissingExtraError("The MLflow tracker", "track") from error
        self._folder, self._name = folder, name
        self._client: Any = None
        self._run_id = ""

    def start(self, config: Mapping[str, Any], step: int) -> None:
        """Begin a run, or go on with this folder's."""
        uri = os.environ.get("MLFLOW_TRACKING_URI") or (self._folder / "mlflow").resolve().as_uri()
        self._client = self._mlflow.MlflowClient(tracking_uri=uri)
        note = self._folder / "mlflow-run-id"
        if step and note.exists():
            self._run_id = note.read_text(encoding="utf-8").strip()
            return
        self._run_id = self._begin(config)
        write_text(note, self._run_id + "\n")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point for each value."""
        for name, value in values.items():
            # MLflow's names have no place for the at sign of `ndcg@10`.
            self._client.log_metric(self._run_id, name.replace("@", "-at-"), value, step=step)

    def flush(self) -> None:
        """Nothing to do: MLflow writes at once."""

    def close(self) -> None:
        """Mark the run as finished."""
        self._client.set_terminated(self._run_id)

    def _begin(self, config: Mapping[str, Any]) -> str:
        found = self._client.get_experiment_by_name("recdistill")
        experiment = found.experiment_id if found else self._client.create_experiment("recdistill")
        run = self._client.create_run(experiment, run_name=self._name)
        for name, value in config.items():
            self._client.log_param(run.info.run_id, name, value)
        return run.info.run_id
