"""Students whose items are made from what they are, taught by a teacher that knows ids: back from log to content."""

from __future__ import annotations

import json

import pytest
import torch
import yaml

from recdistill.bundle.loading import load_bundle
from recdistill.cli.app import run
from recdistill.config.located import LocatedYaml
from recdistill.config.tree import load_config, parse_config
from recdistill.data.dataset import Dataset
from recdistill.errors import ConfigError, DataError
from recdistill.models.recommender import Recommender
from recdistill.pipeline.pipeline import Pipeline
from recdistill.pipeline.run_folder import RunFolder
from recdistill.training.options import RunOptions
from tests.support.domains import prepared, write_domain, write_vectors


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    home = tmp_path_factory.mktemp("shop")
    return write_domain(home / "shop", "s", users=50, items=60, events=1200, seed=3)


@pytest.fixture
def images(shop, tmp_path):
    return write_vectors(prepared(shop), tmp_path / "images.parquet")


@pytest.fixture
def settings(shop, images, tiny):
    training = {"epochs": 4, "batch_size": 8, "optimizer": {"learning_rate": 0.005}}
    return {
        **tiny,
        "dataset": {"source": str(shop), "name": "shop"},
        "teacher": {**tiny["teacher"], "training": training},
        "signals": [{"kind": "top-k", "k": 20}],
        "student": {**tiny["student"], "items": {"kind": "vectors", "features": 8, "inner": None}},
        "features": {"kind": "file", "path": str(images)},
        "recipe": {"objectives": [{"kind": "next-item"}, {"kind": "kl", "temperature": 2.0}]},
        "training": training,
        "evaluation": {"seeds": 1, "resamples": 1000, "latency_requests": 0},
        "trackers": [],
    }


def written(settings, tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def opened(settings, tmp_path) -> Pipeline:
    config = load_config(written(settings, tmp_path), [])
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir(exist_ok=True)
    return Pipeline(config, folder, RunOptions())


def test_a_content_student_is_taught_by_an_id_teacher_and_leaves_as_a_bundle(
    settings, images, tmp_path
):
    into = tmp_path / "run"
    command = ["run", str(written(settings, tmp_path)), "--into", str(into), "--quiet"]
    assert run(command) == 0
    student, twin = (
        Recommender.load(into / name / "seed-0" / "model")
        for name in ("student", "student-without-distillation")
    )
    features = student.network.items.features
    assert torch.equal(features, twin.network.items.features)
    assert features.std() == pytest.approx(1, abs=0.2)
    assert not torch.equal(student.item_table(), twin.item_table())
    values = json.loads((into / "report/metrics.json").read_text())["models"]
    assert {"teacher", "student"} <= set(values)
    # No file of vectors goes along: the bundle holds what they became.
    dataset = Dataset.open(into / "dataset")
    history = dataset.vocabulary.ids.head(3).to_list()
    shown = load_bundle(into / "bundle").recommend([history], k=5)
    expected = student.recommend(histories=[history], k=5)
    assert [str(one) for one in shown["item_id"]] == expected["item_id"].to_list()


def test_other_vectors_are_other_students_of_the_same_teacher(settings, images, tmp_path):
    first = opened(settings, tmp_path)
    one = first.students.student[0]
    assert {name for name, outcome in first.outcomes.items() if outcome.made} >= {
        "features",
        "teacher",
    }
    write_vectors(first.dataset, images, seed=9)
    second = opened(settings, tmp_path)
    other = second.students.student[0]
    assert second.outcomes["features"].made
    assert not second.outcomes["teacher"].made
    assert one.identity != other.identity
    third = opened(settings, tmp_path)
    assert third.students.student[0].identity == other.identity
    assert not any(outcome.made for outcome in third.outcomes.values())


@pytest.mark.slow  # a run with texts, and one with each other's
def test_a_student_reads_texts_as_well_and_permuting_them_takes_most_of_it(
    settings, tiny_encoder, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = {}
    for permuted in (False, True):
        source = {"kind": "text", "model": str(tiny_encoder), "permuted": permuted}
        student = {**settings["student"], "items": {"kind": "vectors", "features": 16}}
        home = tmp_path / str(permuted)
        home.mkdir()
        pipeline = opened({**settings, "features": source, "student": student}, home)
        found[permuted] = pipeline.students.student[0].log.best
    assert found[False] > 1.5 * found[True]


def refusal(settings, tmp_path, **changes) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(LocatedYaml.read(written({**settings, **changes}, tmp_path)))
    return f"{caught.value.message} {caught.value.hint}"


def test_items_made_from_nothing_or_from_two_things_are_refused(settings, tmp_path):
    assert "nothing says where those of its undistilled twin" in refusal(
        settings, tmp_path, features=None
    )
    ids = {**settings["student"], "items": {"kind": "ids"}}
    assert "have no use for them" in refusal(settings, tmp_path, student=ids)
    offset = {**settings["student"], "items": {"kind": "offset", "features": 8}}
    both = {"objectives": [{"kind": "next-item"}], "init": {"from": "teacher"}}
    vectors = [{"kind": "item-vectors"}]
    assert "Drop one of them" in refusal(
        settings, tmp_path, student=offset, recipe=both, signals=vectors
    )


def test_vectors_that_do_not_fit_are_refused_before_anything_is_trained(settings, images, tmp_path):
    wide = {**settings["student"], "items": {"kind": "vectors", "features": 9}}
    pipeline = opened({**settings, "student": wide}, tmp_path)
    with pytest.raises(ConfigError, match=r"(?s)width 8, .* width 9.*features: 8"):
        _ = pipeline.students
    assert "teacher" not in pipeline.outcomes
    images.unlink()
    with pytest.raises(DataError, match="There is no file"):
        _ = opened(settings, tmp_path).students


def test_offsets_may_stand_beside_texts(settings, tmp_path):
    """The student's own free vectors, and what the features give, projected (text-initialised ids)."""
    offset = {**settings["student"], "items": {"kind": "offset", "features": 8}}
    pipeline = opened({**settings, "student": offset}, tmp_path)
    items = pipeline.students.student[0].model.network.items
    expected = items.offset.vectors + 0.2 * items.features @ items.project.weight.T
    torch.testing.assert_close(items(), expected)
    assert items.features.abs().sum() > 0
