"""Teachers over vectors from a file, whatever was turned into numbers there."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from recdistill.errors import ConfigError, DataError
from recdistill.files import file_sha256
from recdistill.models.validation import validation
from recdistill.progress import LineProgress
from recdistill.teachers import FeatureTeacher, besides, load_teacher, make_teacher
from recdistill.teachers.features import Standards
from recdistill.training.options import RunOptions
from tests.support.domains import prepared, write_domain, write_vectors

HEAD = {"width": 12, "blocks": 1, "history": 10}
TRAINING = {
    "epochs": 6,
    "batch_size": 8,
    "patience": None,
    "optimizer": {"learning_rate": 0.005},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("domain") / "shop"
    return prepared(write_domain(folder, "a", users=40, items=60, events=900, seed=1))


@pytest.fixture
def images(dataset, tmp_path):
    return write_vectors(dataset, tmp_path / "images.parquet")


def config(path, **settings):
    return {"kind": "features", "path": path, "head": HEAD, "training": TRAINING, **settings}


def test_a_teacher_sees_what_the_vectors_show(dataset, images, tmp_path):
    """Vectors show an item's kind, and kinds follow each other: with each other's vectors much of it is lost."""
    right, wrong = (
        make_teacher(config(images, permuted=exchanged)).fit(dataset) for exchanged in (False, True)
    )
    assert isinstance(right, FeatureTeacher)
    seeing, blind = (validation(one.recommender, dataset)() for one in (right, wrong))
    assert seeing > 2 * blind
    assert right.identity().name == "images.parquet"
    assert wrong.identity().name == "images.parquet, permuted"
    right.save(tmp_path / "teacher")
    assert load_teacher(tmp_path / "teacher", dataset).identity() == right.identity()


def test_each_item_has_its_own_vector_standardised(dataset, images):
    teacher = make_teacher(config(images, whiten=False)).fit(dataset)
    by_id = dict(pl.read_parquet(images).iter_rows())
    raw = np.array([by_id[one] for one in dataset.vocabulary.ids], dtype=np.float32)
    expected = (raw - raw.mean(0)) / (raw - raw.mean(0)).std()
    np.testing.assert_allclose(teacher.features.table, expected, atol=1e-5)


def test_items_without_a_vector_are_average_and_counted_and_told(dataset, images, tmp_path):
    pl.read_parquet(images).head(50).vstack(
        pl.DataFrame({"item_id": ["of another shop"], "vector": [[0.0] * 8]})
    ).write_parquet(images)
    with (tmp_path / "log").open("w") as stream:
        run = RunOptions(progress=LineProgress(stream))
        teacher = make_teacher(config(images)).fit(dataset, run)
    assert teacher.notes["items_without_vector"] == 10
    assert teacher.notes["vectors_of_other_items"] == 1
    assert (teacher.features.table == 0).all(1).sum() == 10
    assert "10 of 60 items have no vector" in (tmp_path / "log").read_text()


def test_other_content_is_another_teacher(dataset, images, tmp_path):
    settings = make_teacher(config(images)).config
    assert besides(settings) == [file_sha256(images)]
    member = {"kind": "recommender", "model": {"kind": "popularity"}}
    ensemble = make_teacher({"kind": "ensemble", "members": [config(images), member]})
    assert besides(ensemble.config) == besides(settings)
    assert besides(make_teacher(member).config) == []
    one = make_teacher(config(images)).fit(dataset).identity()
    write_vectors(dataset, images, seed=5)
    other = make_teacher(config(images)).fit(dataset).identity()
    assert one.settings["config"] == other.settings["config"]
    assert one.settings["notes"]["file"] != other.settings["notes"]["file"]
    with pytest.raises(DataError, match="There is no file"):
        besides(make_teacher(config(tmp_path / "nowhere.npz")).config)


def test_files_are_looked_for_under_the_data_folder_too(dataset, images, monkeypatch):
    monkeypatch.setenv("RECDISTILL_DATA", str(images.parent))
    here, there = (make_teacher(config(path)) for path in (images, images.name))
    assert besides(there.config) == besides(here.config)
    read = there.config.features(dataset, RunOptions())
    assert np.array_equal(read.table, here.config.features(dataset, RunOptions()).table)


def test_a_recommender_over_vectors_that_nobody_gives_is_refused(dataset):
    model = {"kind": "sasrec", **HEAD, "items": {"kind": "vectors", "features": 8}}
    teacher = make_teacher({"kind": "recommender", "model": model})
    with pytest.raises(ConfigError, match="nobody gives it any"):
        teacher.fit(dataset)


def test_standards_of_one_catalogue_are_applied_to_another():
    """By hand: mean (2, 0), a common scale of 2; and whitened, the direction of spread is turned to the front."""
    there = np.array([[4.0, 2.0], [0.0, -2.0], [4.0, -2.0], [0.0, 2.0]], dtype=np.float32)
    plain = Standards.of(there, whiten=False)
    np.testing.assert_allclose(
        plain.applied(np.array([[2.0, 0.0], [6.0, 1.0]])), [[0, 0], [2, 0.5]]
    )
    line = np.array(
        [[1.0, 1.0], [-1.0, 1.0], [3.0, 1.0], [5.0, 1.0]], dtype=np.float32
    )  # variance 5
    white = Standards.of(line, whiten=True).applied(np.array([[2.0, 1.0], [2.0 + 5**0.5, 1.0]]))
    assert np.abs(white[0]).max() == 0
    assert abs(white[1, 0]) == pytest.approx(1 / 1.001**0.5)
    with pytest.raises(DataError, match="width 3 cannot be read like those of width 2"):
        plain.applied(np.ones((2, 3)))
