"""Smaller students of a run: made of its own, judged as they would leave, refused where they lose too much."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from recdistill.bundle.loading import load_bundle
from recdistill.cli.app import run
from recdistill.config.tree import load_config
from recdistill.errors import ConfigError
from recdistill.models.recommender import Recommender

HALF = {"prune": {"parameters": 0.5}, "epochs": 2}
LENIENT = {"tolerance": 0.99, "students": {"half": HALF}, "forms": ["int8"], "latency_requests": 5}


@pytest.fixture(scope="module")
def compressed(finished_run, tmp_path_factory):
    """A run whose smaller students were compared; tests only read it."""
    folder = shutil.copytree(finished_run, tmp_path_factory.mktemp("compressed") / "run")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["compression"] = LENIENT
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    assert run(["compress", str(folder), "--quiet", "--set", "compression.seeds=2"]) == 0
    return folder


def content(folder):
    return json.loads((folder / "compression/compression.json").read_text())


def made(folder):
    """The stages made (not reused) by the last command."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    start = max(i for i, line in enumerate(lines) if line["event"] == "run")
    return [
        line["name"] for line in lines[start:] if line["event"] == "stage done" and line["made"]
    ]


def test_every_student_is_judged_in_every_form(compressed):
    found = content(compressed)
    assert list(found["forms"]) == ["whole-float32", "whole-int8", "half-int8"]
    assert found["seeds"] == 2
    assert found["dataset"]["valid_cases"] > 0
    sizes = {name: one["parameters"] for name, one in found["forms"].items()}
    assert sizes["half-int8"] <= 0.5 * sizes["whole-float32"]
    assert found["forms"]["whole-float32"]["loss"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert (compressed / "compression/compression.html").is_file()
    for name, one in found["forms"].items():
        bundle = load_bundle(compressed / f"forms/{name}/seed-0")
        files = bundle.info.files
        assert one["bytes"] == files["model.onnx"].size + files["table.safetensors"].size


def test_the_test_was_opened_for_the_knee_alone(compressed):
    found = content(compressed)
    (knee,) = (name for name, one in found["forms"].items() if one["mark"] == "knee")
    assert set(found["test"].get("models", {})) <= {"whole-float32", knee}


def test_a_smaller_student_goes_on_from_the_run_s_own(compressed):
    whole = Recommender.load(compressed / "student/seed-1/model")
    half = Recommender.load(compressed / "smaller/half/seed-1/model")
    assert half.config.pruned is not None
    assert half.config.model_copy(update={"pruned": None}) == whole.config
    log = json.loads((compressed / "smaller/half/seed-1/training.json").read_text())
    assert len(log["epochs"]) == 2


def test_again_nothing_is_made(compressed, tmp_path):
    folder = shutil.copytree(compressed, tmp_path / "again")
    assert run(["compress", str(folder), "--quiet", "--set", "compression.seeds=2"]) == 0
    assert made(folder) == []


def test_a_smaller_student_leaves_when_it_is_asked_for(compressed, tmp_path, capsys):
    folder = shutil.copytree(compressed, tmp_path / "leaving")
    command = ["export", str(folder), "--quiet", "--set", "bundle.student=half"]
    assert run([*command, "--set", "bundle.precision=int8"]) == 0
    left = load_bundle(folder / "bundle").info
    assert left.model.config["pruned"] is not None
    assert left.model.precision == "int8"
    assert left.metrics == {}  # those of the report are another student's


def test_one_that_loses_too_much_is_refused_and_what_was_there_stays(compressed, tmp_path, capsys):
    folder = shutil.copytree(compressed, tmp_path / "refused")
    before = {path.name: path.read_bytes() for path in sorted((folder / "bundle").iterdir())}
    code = run(
        ["export", str(folder), "--quiet", "--set", "bundle.student=half",
         "--set", "compression.tolerance.share=0", "--set", "compression.tolerance.proof=interval"]
    )  # fmt: skip
    assert code == 6
    said = capsys.readouterr().err
    assert "half-float32 loses" in said
    assert "Nothing was written" in said
    after = {path.name: path.read_bytes() for path in sorted((folder / "bundle").iterdir())}
    assert after == before
    assert not (folder / ".previous/bundle").exists()
    assert load_bundle(folder / "bundle").info.metrics


def test_a_student_that_nobody_makes_is_refused_at_once(config_file, tmp_path):
    with pytest.raises(ConfigError, match=r"No student is called 'hlaf'.*\n.*half"):
        load_config(config_file, ["bundle.student=hlaf"])


@pytest.mark.parametrize(
    ("assignment", "why"),
    [
        ('compression.students={"whole": {"quantise": {"bits": 8}}}', "cannot be the name"),
        ('compression.students={"a/b": {"quantise": {"bits": 8}}}', "cannot be the name"),
        ('compression.students={"half": {}}', "say what makes it smaller"),
        ("compression.tolerance=2", "less than 1"),
        ("compression.forms=[int7]", "int7"),
    ],
)
def test_what_cannot_be_is_refused_while_it_is_read(config_file, assignment, why):
    with pytest.raises(ConfigError, match=why):
        load_config(config_file, [assignment])


def test_more_seeds_than_students_are_refused(compressed, tmp_path, capsys):
    folder = shutil.copytree(compressed, tmp_path / "seeds")
    assert run(["compress", str(folder), "--quiet", "--set", "compression.seeds=3"]) == 2
    assert "only 2 students are trained" in capsys.readouterr().err
