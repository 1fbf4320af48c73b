"""Students in fewer bits: how small they get, and what they still say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import numpy_helper

from recdistill.bundle import narrowing
from recdistill.bundle.bundle import Bundle
from recdistill.bundle.export import export
from recdistill.bundle.loading import load_bundle
from recdistill.bundle.manifest import Precision
from recdistill.bundle.narrowing import narrowed
from recdistill.bundle.onnx_export import to_onnx
from recdistill.bundle.students import encoder_of
from recdistill.data.dataset import Dataset
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import BundleError
from recdistill.models.sasrec import SASRec, SASRecConfig


@pytest.fixture(scope="module")
def wide() -> bytes:
    """The layers of a student of an ordinary size."""
    model = SASRec(SASRecConfig(width=64, blocks=2), Vocabulary(pl.Series(range(5))))
    return to_onnx(encoder_of(model), 64)


@pytest.mark.parametrize(("precision", "times"), [("float16", 1.85), ("int8", 3.3)])
def test_layers_get_smaller(wide: bytes, precision: Precision, times: float) -> None:
    assert len(wide) / len(narrowed(wide, precision)) > times


def test_int8_layers_are_off_by_half_a_step(wide: bytes) -> None:
    before = {
        t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(wide).graph.initializer
    }
    narrow = onnx.load_from_string(narrowed(wide, "int8"))
    after = {t.name: numpy_helper.to_array(t) for t in narrow.graph.initializer}
    names = [name for name in before if name + ".narrow" in after]
    assert len(names) >= 8
    for name in names:
        whole, scales = after[name + ".narrow"], after[name + ".scales"]
        assert whole.dtype == np.int8
        assert (np.abs(whole * scales - before[name]) <= 0.5001 * scales).all()
        assert name not in after


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_a_narrow_bundle_says_what_the_student_says(
    student: SASRec, tiny_dataset: Dataset, tmp_path: Path, bundle: Bundle, precision: Precision
) -> None:
    export(student, tiny_dataset, tmp_path / "narrow", precision=precision)
    narrow = load_bundle(tmp_path / "narrow")
    assert narrow.info.model.precision == precision
    assert narrow.info.narrowing is not None
    assert narrow.info.narrowing.kept > 0.95
    assert "keeps" in (tmp_path / "narrow" / "README.md").read_text()
    histories = [[f"i{number:04d}"] for number in range(40)]
    ours, theirs = (one.recommend(histories, k=5)["item_id"].to_list() for one in (narrow, bundle))
    assert np.mean([one == other for one, other in zip(ours, theirs, strict=True)]) > 0.7
    assert set(ours) <= set(tiny_dataset.vocabulary.ids)
    one, other = (
        (at.similar_items(["i0003"], k=39)).sort("similar_item_id") for at in (narrow, bundle)
    )
    np.testing.assert_allclose(one["score"], other["score"], atol=0.02)


def test_what_loses_too_much_does_not_leave(
    student: SASRec, tiny_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrowing, "LEAST_KEPT", 1.01)
    with pytest.raises(BundleError, match="of its top ten"):
        export(student, tiny_dataset, tmp_path / "narrow", precision="int8")
    assert list(tmp_path.iterdir()) == []


def test_a_float32_bundle_has_lost_nothing(bundle: Bundle) -> None:
    assert bundle.info.narrowing is None
