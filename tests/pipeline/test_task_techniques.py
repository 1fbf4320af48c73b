"""`recipes/techniques/tasks/`: one student of several heads, with observed ratings and with a tutor each."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from recipe_files import check_beginning

from recdistill.bundle.export import export
from recdistill.cli.app import run
from recdistill.config.agreement import load_agreeing
from recdistill.config.tree import load_config
from recdistill.data.dataset import Dataset
from recdistill.errors import ConfigError, DataError
from recdistill.models.recommender import Recommender
from recdistill.pipeline.pipeline import Pipeline
from recdistill.pipeline.run_folder import RunFolder
from recdistill.training.options import RunOptions

HOME = Path(__file__).parents[2] / "recipes" / "techniques" / "tasks"
FILES = sorted(HOME.glob("*.yaml"))
TECHNIQUES = [path for path in FILES if path.stem != "base"]
BOTH = HOME / "multi-task-distillation.yaml"
SMALL = "{kind: sasrec, width: 8, blocks: 1, history: 10}"


def assignments(source: Path) -> list[str]:
    """What makes a technique quick."""
    options = [
        f"dataset={{source: {source}, name: tiny}}",
        f"teacher={{kind: recommender, model: {SMALL}, training: {{epochs: 1}}}}",
        "student.width=8",
        "student.history=10",
        "training={epochs: 2, batch_size: 32}",
        "evaluation={seeds: 2, resamples: 1000, latency_requests: 0}",
        "trackers=[]",
    ]
    return [part for option in options for part in ("--set", option)]


@pytest.mark.parametrize("path", TECHNIQUES, ids=lambda path: path.stem)
def test_each_says_what_it_is_and_what_to_expect(path: Path):
    check_beginning(path)


def test_they_can_be_compared_and_share_their_twin():
    found = load_agreeing(FILES, [])
    twins = {config.recipe.untaught() for config in found.values()}
    assert twins == {found["base"].recipe}


def test_each_head_has_a_teacher_of_its_own():
    recipe = load_config(BOTH, []).recipe
    taught = {term.label: term for term in recipe.objectives if term.taught}
    assert taught["kl"].source == "top-k"
    for head in ("rating", "like"):
        assert taught[f"taught-{head}"].of.name == head
    assert [tutor.name for tutor in recipe.tutors] == ["rating", "like"]


def test_refused_while_it_is_read():
    with pytest.raises(ConfigError, match="needs a head for 'like', which the student lacks"):
        load_config(BOTH, ["student.outcomes=[rating]"])
    with pytest.raises(ConfigError, match="mean different things"):
        load_config(BOTH, ["student.outcomes=[rating, {kind: like, at_least: 3}]"])
    with pytest.raises(ConfigError, match="no term hears tutor 'rating'"):
        load_config(BOTH, ["recipe.objectives=[{kind: next-item}]"])


@pytest.fixture(scope="module")
def finished(make_source, tmp_path_factory) -> Path:
    """The folder of a whole run of the larger of the two."""
    home = tmp_path_factory.mktemp("tasks")
    source = make_source(home, users=40, items=60, events=1000)
    tutors = "recipe.tutors=" + json.dumps(
        [
            {
                "name": name,
                "model": {"width": 12, "blocks": 1, "history": 10, "outcomes": [name]},
                "objectives": [{"kind": "outcome", "head": name}],
            }
            for name in ("rating", "like")
        ]
    )
    into = ["--into", str(home / "run"), "--quiet", "--set", tutors]
    assert run(["run", str(BOTH), *into, *assignments(source)]) == 0
    return home / "run"


@pytest.mark.timeout(300)
def test_a_run_keeps_its_tutors(finished: Path):
    for seed in (0, 1):
        tutors = finished / "student" / f"seed-{seed}" / "tutors"
        assert Recommender.load(tutors / "rating" / "model").config.width == 12
        assert not list(tutors.rglob("checkpoints"))
    assert not (finished / "student-without-distillation" / "seed-0" / "tutors").exists()


def test_a_report_tells_what_heads_are_worth(finished: Path):
    found = json.loads((finished / "report" / "metrics.json").read_text())["outcomes"]
    models = {"student", "student_without_distillation", "training_mean"}
    assert set(found["rating"]["models"]) == {*models, "tutor/rating"}
    assert set(found["like"]["models"]) == {*models, "tutor/like"}
    assert {"low", "high"} <= set(found["rating"]["difference"])
    page = (finished / "report" / "report.html").read_text()
    assert "Beside the ranking" in page
    assert "Tutor: like" in page


@pytest.mark.timeout(300)
def test_a_run_of_tutors_can_be_explained(finished: Path):
    assert run(["explain-run", str(finished), "--quiet"]) == 0
    told = json.loads((finished / "explanation" / "explanation.json").read_text())
    assert "taught-rating" in json.dumps(told)


def test_what_stays_behind_at_export_is_said(finished: Path, caplog: pytest.LogCaptureFixture):
    """The run exported its student already; once more, to hear it."""
    student = Recommender.load(finished / "student" / "seed-0" / "model")
    export(student, Dataset.open(finished / "dataset"), finished.parent / "bundle")
    assert "the heads for rating and like stay behind" in caplog.text


def test_a_log_without_ratings_is_refused_before_the_teacher_is_trained(
    tmp_path: Path, make_source
):
    source = make_source(tmp_path, users=40, items=60, events=1000)
    pl.read_parquet(source / "log.parquet").drop("rating").write_parquet(source / "log.parquet")
    config = load_config(BOTH, assignments(source)[1::2])
    (tmp_path / "run").mkdir()
    pipeline = Pipeline(config, RunFolder(tmp_path / "run"), RunOptions(trackers=()))
    with pytest.raises(DataError, match="has no ratings"):
        _ = pipeline.teacher
    assert not (tmp_path / "run" / "teacher").exists()
