"""Loading: contents that pass their checksums and are still no bundle, and life without torch."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest

from recdistill.bundle.bundle import Bundle
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.manifest import FileEntry, parse_manifest
from recdistill.bundle.table import Table
from recdistill.errors import BundleError

ROOT = Path(__file__).parents[2]


def replaced(folder: Path, name: str, data: bytes) -> Path:
    """Put other content into a bundle, with everything that vouches for it."""
    (folder / name).write_bytes(data)
    manifest = parse_manifest((folder / "manifest.json").read_bytes())
    entry = FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    changed = manifest.model_copy(update={"files": {**manifest.files, name: entry}})
    (folder / "manifest.json").write_text(changed.render(), encoding="utf-8")
    return folder


def parquet(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.write_parquet(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda items: items.head(39),
        lambda items: items.reverse(),
        lambda items: items.with_columns(item_id=pl.lit("i0001")),
        lambda items: items.with_columns(item_id=pl.lit(None, dtype=pl.String)),
        lambda items: items.drop("item_id"),
    ],
)
def test_a_catalogue_that_is_none(
    copied: Callable[[], Path], bundle: Bundle, change: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    folder = replaced(copied(), "items.parquet", parquet(change(bundle.items)))
    with pytest.raises(BundleError, match="no catalogue of 40 items"):
        load_bundle(folder)


def test_a_catalogue_that_is_no_table(copied: Callable[[], Path]) -> None:
    with pytest.raises(BundleError, match=r"items\.parquet cannot be read"):
        load_bundle(replaced(copied(), "items.parquet", b"PAR1 not really PAR1"))


def test_an_item_table_of_another_shape(copied: Callable[[], Path]) -> None:
    other = Table(np.zeros((40, 15), dtype=np.float32)).written()
    with pytest.raises(BundleError, match="does not fit the catalogue"):
        load_bundle(replaced(copied(), "table.safetensors", other))


def test_external_data_are_refused_before_the_runtime_sees_them(copied: Callable[[], Path]) -> None:
    folder = copied()
    model = onnx.load_from_string((folder / "model.onnx").read_bytes())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="items.parquet")
    with pytest.raises(BundleError, match="outside its file"):
        load_bundle(replaced(folder, "model.onnx", model.SerializeToString()))


def test_threads_give_the_same_answers(bundle: Bundle, bundle_folder: Path) -> None:
    asked = [["i0001", "i0030"], []]
    two = load_bundle(str(bundle_folder), threads=2).recommend(asked, k=40)
    one = bundle.recommend(asked, k=40)
    assert two["item_id"].equals(one["item_id"])
    np.testing.assert_allclose(two["score"], one["score"], atol=1e-5)


_WITHOUT_TORCH = """
import sys

absent = ("torch", "transformers", "onnx", "safetensors")
sys.modules.update(dict.fromkeys(absent))  # importing one of these now fails as if it were not installed
import recdistill
bundle = recdistill.load_bundle(sys.argv[1])
print(bundle.recommend([["i0001", "i0002"]], k=3).write_csv(), end="")
print(bundle.similar_items(["i0001"], k=2).write_csv(), end="")
assert all(sys.modules[name] is None for name in absent)
"""


def test_runs_without_torch(bundle: Bundle, bundle_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH, str(bundle_folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = bundle.recommend([["i0001", "i0002"]], k=3), bundle.similar_items(["i0001"], k=2)
    assert done.stdout == "".join(frame.write_csv() for frame in expected)


@pytest.mark.slow
def test_runs_in_an_environment_that_never_had_torch(
    bundle: Bundle, bundle_folder: Path, tmp_path: Path
) -> None:
    """A fresh virtual environment with what `pip install 'recdistill[serve]'` brings, and nothing else."""
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    install = [python, "-m", "pip", "install", "-q", f"{ROOT}[serve]"]
    subprocess.run(install, check=True)
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    ).stdout.lower()
    assert "onnxruntime==" in listed
    assert "torch==" not in listed
    verb = [tmp_path / "venv" / "bin" / "recdistill", "recommend", bundle_folder]
    done = subprocess.run(
        [*verb, "--history", "i0001 i0002", "-k", "3", "--format", "csv"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    first = pl.read_csv(done.stdout.encode())
    assert first["item_id"].equals(bundle.recommend([["i0001", "i0002"]], k=3)["item_id"])
