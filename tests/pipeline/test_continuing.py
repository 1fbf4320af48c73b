"""A run that goes on from an earlier one: what it takes over, what it asks, what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from growing_log import both, growing_source, settings
from safetensors.torch import save_file

from recdistill.cli.app import run
from recdistill.config.tree import load_config
from recdistill.models.item_encoders import fill
from recdistill.models.sasrec import SASRec
from recdistill.pipeline import item_features
from recdistill.pipeline.pipeline import Pipeline, open_pipeline
from recdistill.teachers.features.standards import Standards

SIGNALS = [{"kind": "top-k", "k": 8}, {"kind": "item-vectors"}]


def configuration(source: Path, moment: Any, **changes: Any) -> dict[str, Any]:
    return {
        "dataset": settings(source, moment),
        "teacher": {
            "kind": "recommender",
            "model": {"kind": "sasrec", "width": 8, "blocks": 1, "history": 8},
            "training": {"epochs": 5, "batch_size": 16},
        },
        "signals": SIGNALS,
        "student": {"kind": "sasrec", "width": 8, "blocks": 1, "history": 8},
        "recipe": {"objectives": [{"kind": "next-item"}, {"kind": "kl"}]},
        "training": {"epochs": 5, "batch_size": 16},
        "evaluation": {"seeds": 1, "resamples": 1000, "latency_requests": 0},
        "trackers": [],
        **changes,
    }


def written(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def home(make_source, tmp_path_factory) -> Path:
    """A folder with the grown log, its `moment`, and a finished run on the log as it was then."""
    folder = tmp_path_factory.mktemp("continuing")
    source, moment = growing_source(make_source, folder, users=50, events=1500)
    path = written(folder / "former.yaml", configuration(source, moment))
    opened(path).students  # noqa: B018
    return folder


@pytest.fixture
def later(home, tmp_path):
    """Makes the configuration of a run on the whole log that goes on from the former one, and its pipeline."""

    def make(name: str = "later", how: Any = None, former: Path | None = None, **changes: Any):
        continues = {"run": str(former or home / "former"), **(how or {})}
        config = configuration(home / "source", None, continues=continues, **changes)
        config["training"] = {"epochs": 1, "batch_size": 16, **changes.get("training", {})}
        return written(tmp_path / f"{name}.yaml", config)

    return make


def opened(path: Path, changes: tuple[str, ...] = ()) -> Pipeline:
    """The pipeline of a configuration, or of a run folder."""
    into = path.with_suffix("")
    into.mkdir(exist_ok=True)
    return open_pipeline(path, into, list(changes), quiet=True)


def notes(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    start = max(i for i, line in enumerate(lines) if line["event"] == "run")
    return lines[start:]


def made(folder: Path) -> list[str]:
    return [one["name"] for one in notes(folder) if one["event"] == "stage done" and one["made"]]


def test_the_whole_of_it(home, later, capsys):
    """Stages, provenance, log, warm starts; then a second call reuses all."""
    path = later(how={"student": True})
    into = path.with_suffix("")
    assert run(["evaluate", str(path), "--into", str(into)]) == 0
    told, logged = capsys.readouterr(), notes(into)
    former, pipeline = opened(home / "former"), opened(path)
    then, now = (set(one.dataset.contexts().keys.tolist()) for one in (former, pipeline))
    line = f"carried {len(then & now):,} contexts, asked about {len(now - then):,}"
    assert line in told.err
    assert f"goes on from {home / 'former'}" in told.err
    assert any(line in one["what"] for one in logged if one["event"] == "carried")
    manifest = json.loads((into / "signals/top-k/manifest.json").read_text())
    (carried,) = manifest["carried"]
    assert carried["rows"] == len(then & now)
    assert carried["teacher"]["revision"] == former.teacher.identity().revision
    assert manifest["teacher"]["revision"] == pipeline.teacher.identity().revision
    metrics = json.loads((into / "report/metrics.json").read_text())
    assert any("goes on from former" in one and line in one for one in metrics["notes"])
    assert run(["evaluate", str(path), "--into", str(into), "--quiet"]) == 0
    assert made(into) == []


def test_warm_students_and_twins_begin_where_theirs_ended(home, later):
    """After one epoch, each is ahead of one that starts cold, and was judged from its own arm's former student."""
    warm, cold = opened(later("warm")), opened(later("cold", {"student": False}))
    for one, other in zip(
        (*warm.students.student, *warm.students.twin),
        (*cold.students.student, *cold.students.twin),
        strict=True,
    ):
        assert one.log.epochs[0].validation > other.log.epochs[0].validation
        assert one.log.epochs[0].losses["next-item"] < other.log.epochs[0].losses["next-item"]


def test_a_twin_goes_on_from_the_twin(home, later):
    """Trained with a rate of next to nothing, each arm ends with its own former weights."""
    still = {"optimizer": {"learning_rate": 1e-30}}
    pipeline, former = opened(later(training=still)), opened(home / "former")
    known = pipeline.dataset.vocabulary.encode(former.dataset.vocabulary.ids)
    for arm in ("student", "twin"):
        now, then = (getattr(one.students, arm)[0].model.item_table() for one in (pipeline, former))
        assert (now[known] - then).abs().max() < 1e-6


def test_new_items_can_be_recommended(home, later):
    pipeline, former = opened(later()), opened(home / "former")
    new = set(pipeline.dataset.vocabulary.ids) - set(former.dataset.vocabulary.ids)
    model = pipeline.students.best.model
    shown = model.recommend(users=list(pipeline.dataset.users.ids), k=10)
    assert new
    assert new & set(shown["item_id"])


@pytest.mark.parametrize(("signals", "carries"), [(None, False), ("reuse", True)])
def test_an_updated_teacher_says_all_anew_unless_it_is_not_asked(home, later, signals, carries):
    how = {"teacher": {"kind": "update", "share": 0.2}, "signals": signals, "student": False}
    pipeline = opened(later(how=how))
    manifest = pipeline.signals["top-k"].manifest
    assert bool(manifest.carried) is carries
    assert pipeline.teacher.notes["continues"]["how"]["share"] == 0.2
    kept = opened(later("kept", {"student": False})).teacher
    assert pipeline.teacher.identity().revision != kept.identity().revision


def test_a_change_in_the_former_run_changes_this_one(home, later, tmp_path):
    former = shutil.copytree(home / "former", tmp_path / "former")
    path = later(former=former)
    opened(path).students  # noqa: B018
    into = path.with_suffix("")
    assert "student/seed-0" in made(into)
    # Only the former students change: another recipe, the same teacher.
    hotter = "recipe.objectives.1.temperature=3.0"
    opened(former, (hotter,)).students  # noqa: B018
    opened(path).students  # noqa: B018
    assert made(into) == ["student/seed-0"]
    # Then the former teacher changes, and with it all.
    opened(former, (hotter, "teacher.training.epochs=2")).students  # noqa: B018
    config = yaml.safe_load(path.read_text())
    config["teacher"]["training"]["epochs"] = 2
    opened(written(path, config)).students  # noqa: B018
    assert made(into)[:2] == ["teacher", "signals"]


def test_a_third_generation_goes_on_from_the_second(home, later, tmp_path):
    second = later("second")
    opened(second).students  # noqa: B018
    third = opened(later("third", former=second.with_suffix("")))
    manifest = third.signals["top-k"].manifest
    assert manifest.asked == 0
    assert [part.rows for part in manifest.carried] == [
        opened(second).signals["top-k"].manifest.carried[0].rows,
        opened(second).signals["top-k"].manifest.asked,
    ]


def refused(path: Path, capsys, *more: str) -> str:
    """What is told; nothing but the dataset may have been made."""
    into = path.with_suffix("")
    assert run(["run", str(path), "--into", str(into), "--quiet", *more]) in (2, 3)
    assert not (into / "teacher").exists()
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("student.width=16", "`student.width`: 8 then, 16 now"),
        ("teacher.model.width=16", "`teacher.model.width`: 8 then, 16 now"),
        ("signals.0.k=9", "`signals (top-k).k`: 8 then, 9 now"),
        ("signals=[{kind: top-k, k: 8}, {kind: user-vectors}]", "`signals (user-vectors)`"),
        ("evaluation.seeds=2", "2 students would go on"),
        (
            "dataset.split={kind: leave-one-out}",
            "split by global-time, this one is by leave-one-out",
        ),
        ("continues.run=nowhere", "nowhere is no run folder"),
        ("continues.teacher=kepp", "keep"),
    ],
)
def test_what_cannot_be_taken_over_is_refused(later, capsys, change, told):
    assert told in refused(later(), capsys, "--set", change)


def test_a_run_may_not_be_judged_by_what_the_former_learned(home, later, capsys, tmp_path):
    """The other way round: the former run knows more of the log than this one."""
    former = yaml.safe_load((home / "former.yaml").read_text())
    moment = former["dataset"]["filters"]["before"]
    whole = later("whole", {"student": False})
    opened(whole).signals  # noqa: B018
    path = later("shorter", former=whole.with_suffix(""))
    config = yaml.safe_load(path.read_text())
    config["dataset"]["filters"]["before"] = moment
    assert "cuts lie later" in refused(written(path, config), capsys)


def test_a_run_that_was_not_finished_or_is_this_one_is_refused(home, later, capsys, tmp_path):
    former = shutil.copytree(home / "former", tmp_path / "former")
    shutil.rmtree(former / "signals/top-k")
    path = later("broken", former=former)
    assert run(["label", str(path), "--into", str(tmp_path / "broken"), "--quiet"]) == 2
    error = capsys.readouterr().err
    assert "stage 'signals'" in error
    assert f"recdistill run {former}" in error
    path = later("itself", former=tmp_path / "former")
    assert run(["run", str(path), "--into", str(tmp_path / "former"), "--quiet"]) == 2
    assert "go on from itself" in capsys.readouterr().err


def test_a_run_that_goes_on_from_none_is_written_as_before(home):
    config = load_config(home / "former.yaml", [])
    assert "continues" not in config.model_dump(mode="json")


def test_the_shipped_recipes_take_over_what_the_first_of_them_made():
    folder = Path(__file__).parents[2] / "recipes" / "techniques" / "online"
    former, anew, *others = (
        load_config(folder / f"{name}.yaml", [])
        for name in ("former", "anew", "kept-teacher", "updated-teacher")
    )
    assert former.dataset.filters.before is not None
    for one in (anew, *others):
        for section in ("teacher", "signals", "student", "recipe", "evaluation"):
            assert getattr(one, section) == getattr(former, section), section
        assert one.dataset == anew.dataset
        assert one.dataset.filters.before is None
    assert [one.continues and one.continues.run.name for one in others] == ["former", "former"]
    assert [one.continues and one.continues.reuses for one in others] == [True, False]


def test_students_made_of_content_read_new_items_as_they_read_the_old(tmp_path, make_source):
    """Features of the larger catalogue are turned; new items get what the student would have read then."""
    former, later = both(make_source, tmp_path)
    vectors = np.random.default_rng(0).normal(size=(later.num_items, 4)).astype(np.float32)
    places = later.vocabulary.encode(former.vocabulary.ids)
    old, new = Standards.of(vectors[places], whiten=True), Standards.of(vectors, whiten=True)
    items = {"kind": "vectors", "features": 4, "inner": None}
    student = SASRec.for_dataset(former, width=8, blocks=1, history=6, items=items)
    fill(student.network.items, torch.from_numpy(old.applied(vectors[places])).float())
    (tmp_path / "features").mkdir()
    stored = {"features": torch.from_numpy(new.applied(vectors)).float()}
    save_file(stored, tmp_path / "features" / item_features.FEATURES)
    warm = item_features.warm(student, later, tmp_path / "features", seed=0)
    found = warm.network.get_buffer("items.features").numpy()
    np.testing.assert_allclose(found, old.applied(vectors), atol=1e-4)
    assert not np.allclose(found, new.applied(vectors), atol=1e-2)
