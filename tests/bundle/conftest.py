"""Students with random weights, exported once for all tests of the room."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from recdistill.bundle.bundle import Bundle
from recdistill.bundle.export import export
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.onnx_export import to_onnx
from recdistill.bundle.students import encoder_of
from recdistill.data.dataset import Dataset
from recdistill.models.popularity import Popularity
from recdistill.models.sasrec import SASRec


@pytest.fixture(scope="session")
def student(tiny_dataset: Dataset) -> SASRec:
    """Two blocks, two heads, a window shorter than many histories; untrained weights differ as well as any."""
    model = SASRec.for_dataset(tiny_dataset, width=16, heads=2, blocks=2, history=8, seed=3)
    model.network.start.normal_()
    return model


@pytest.fixture(scope="session")
def bundle_folder(
    student: SASRec, tiny_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Read-only; use `copied` to damage one."""
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    export(student, tiny_dataset, folder, metrics={"ndcg@10": 0.125})
    return folder


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> Bundle:
    return load_bundle(bundle_folder)


@pytest.fixture(scope="session")
def popular(tiny_dataset: Dataset) -> Popularity:
    return Popularity.for_dataset(tiny_dataset).fit(tiny_dataset)


@pytest.fixture(scope="session")
def popular_onnx(popular: Popularity) -> bytes:
    """The model file of `popular`: exporting is the slowest thing that these tests do."""
    return to_onnx(encoder_of(popular), 1)


@pytest.fixture
def copied(bundle_folder: Path, tmp_path: Path) -> Callable[[], Path]:
    """A fresh copy at every call."""

    def copy() -> Path:
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(bundle_folder, folder)
        return folder

    return copy
